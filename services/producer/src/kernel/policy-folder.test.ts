import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@alert-throttle/observability';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PolicyFolder } from './policy-folder.ts';
import { quietObserver } from './testing/quiet-observer.ts';
import { Voice } from './voice.ts';

const TEXT = `
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: { name: guard, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  file: { matchPaths: [{ path: /etc/secret, action: Block }] }
`;

let folder: string;
let told: string[][];
let open: PolicyFolder | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-folder-'));
  told = [];
});
afterEach(async () => {
  await open?.close();
  open = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function follow(lastGood: Record<string, string>, hasRulesInForce: boolean): void {
  const voice = new Voice({
    logger: createLogger({ service: 'test', level: 'fatal', format: 'json' }),
    observer: quietObserver,
    node: { clusterName: 'c', hostName: 'h', nodeId: 'n' },
    enforcer: 'BPFLSM',
    nowMicros: () => 0,
    emit: () => undefined,
  });
  const onPolicies = (policies: readonly { readonly name: string }[]): void => {
    told.push(policies.map(({ name }) => name));
  };
  open = new PolicyFolder({ folder: join(folder, 'policies'), lastGood, hasRulesInForce, voice, onPolicies });
}

describe('a folder with policies', () => {
  it('is read before anything is enforced', () => {
    mkdirSync(join(folder, 'policies'));
    writeFileSync(join(folder, 'policies', 'a.yaml'), TEXT);
    follow({}, false);
    expect(told).toEqual([['guard']]);
  });

  it('that cannot be read leaves in force what was', () => {
    follow({ 'a.yaml': TEXT }, true);
    expect(told).toEqual([['guard']]);
    expect(Object.keys(open?.state.texts ?? {})).toEqual(['a.yaml']);
  });

  it('that cannot be read does not take rules of an unknown origin out of force', () => {
    expect(() => follow({}, true)).toThrow(/POLICY_DIR .*ENOENT.*alertctl kernel detach/);
    expect(told).toEqual([]);
  });

  it('that is not there yet is an empty one where nothing is in force', () => {
    follow({}, false);
    expect(open?.state.policies).toEqual([]);
  });
});
