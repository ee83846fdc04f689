/** From policies to the rule set of one container. */
import { describe, expect, it } from 'vitest';
import { rulesFor } from './container-rules.ts';
import { DEFAULT_POSTURE_SETTINGS as settings } from './posture.ts';
import { parsePolicies } from './read-policies.ts';

const policies = parsePolicies([
  {
    file: 'policies.yaml',
    text: `
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: web-only, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  file: {matchPaths: [{path: /etc/shadow}]}
---
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: everybody, namespace: shop}
spec:
  process: {matchPaths: [{path: /bin/ls, action: Allow}]}
---
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: empty, namespace: void}
spec: {}
`,
  },
]);

const container = (app: string, namespace = 'shop'): Parameters<typeof rulesFor>[1] => ({
  namespace,
  labels: { app },
  containerName: app,
});

describe('rulesFor', () => {
  it('gives containers with the same policies one rule set, by its key', () => {
    const [web, other, db] = ['web', 'web', 'db'].map((app) => rulesFor(policies, container(app), settings));
    expect(web?.policies.map(({ name }) => name)).toEqual(['web-only', 'everybody']);
    expect(web?.ruleSet?.rules.map(({ path }) => path).sort()).toEqual(['/bin/ls', '/etc/shadow']);
    expect(other?.ruleSet?.key).toBe(web?.ruleSet?.key);
    expect(db?.policies.map(({ name }) => name)).toEqual(['everybody']);
    expect(db?.ruleSet?.key).not.toBe(web?.ruleSet?.key);
  });

  it('has a posture only for kinds with an Allow rule', () => {
    const strict = {
      ...settings,
      defaultFilePosture: 'block' as const,
      defaultNetworkPosture: 'block' as const,
    };
    const { ruleSet } = rulesFor(policies, container('web'), strict);
    expect(ruleSet?.posture).toEqual({ process: 'block', file: 'none', network: 'none', capability: 'none' });
  });

  it('has none where no policy applies, where policies have no rules, and for the disabled', () => {
    expect(rulesFor(policies, container('web', 'elsewhere'), settings).ruleSet).toBeUndefined();
    expect(rulesFor(policies, container('web', 'void'), settings)).toMatchObject({ ruleSet: undefined });
    const disabled = { ...container('web'), podAnnotations: { 'kubearmor-policy': 'disabled' } };
    const { ruleSet, treatment, policies: applying } = rulesFor(policies, disabled, settings);
    expect([ruleSet, treatment, applying.length]).toEqual([undefined, 'disabled', 2]);
  });

  it('has another one for an audited pod', () => {
    const audited = { ...container('web'), podAnnotations: { 'kubearmor-policy': 'audited' } };
    const { ruleSet } = rulesFor(policies, audited, settings);
    expect(ruleSet?.audited).toBe(true);
    expect(ruleSet?.key).not.toBe(rulesFor(policies, container('web'), settings).ruleSet?.key);
    expect(ruleSet?.rules).toEqual(rulesFor(policies, container('web'), settings).ruleSet?.rules);
  });

  it('takes no label from what every object has', () => {
    const [policy] = parsePolicies([
      {
        file: 'p',
        text: 'apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {name: p, namespace: shop}\nspec: {selector: {matchLabels: {constructor: x}}}',
      },
    ]);
    expect(policy && rulesFor([policy], container('web'), settings).policies).toEqual([]);
  });
});
