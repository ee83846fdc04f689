import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { nodeIdentity } from '../core/container.ts';
import { temporaryFolder } from '../../testing/temporary-folder.ts';
import { NO_STATE, StateFile, type SavedState } from './state-file.ts';

const state: SavedState = {
  bootId: 'b',
  rules: [
    {
      number: 7,
      policy: { name: 'p', namespace: 'n' },
      kind: 'file',
      match: 'exact',
      path: '/etc/shadow',
      action: 'Block',
      readOnly: false,
      ownerOnly: true,
      severity: '5',
      tags: ['a'],
      message: 'm',
    },
  ],
  containers: [
    {
      cgroupId: '18446744073709551615',
      cgroupPath: '/docker/x',
      identity: {
        ...nodeIdentity({ clusterName: 'c', hostName: 'h', nodeId: 'n' }),
        Owner: { Ref: 'Pod', Name: 'x', Namespace: 'y' },
      },
      targets: {
        followed: new Map([['/bin/a', '/usr/bin/a']]),
        kept: new Map([['/srv/a', undefined]]),
      },
    },
  ],
  policies: { 'a.yaml': 'text' },
  labels: 'containers: []',
  clock: [{ fromNs: 5n, offsetNs: -9_007_199_254_740_993n }],
};

it('gives back what was saved last', () => {
  const file = new StateFile(temporaryFolder());
  file.save(NO_STATE);
  file.save(state);
  expect(
    file.load(() => {
      throw new Error('it is not damaged');
    }),
  ).toEqual({ version: 1, ...state });
});

it('knows nothing where there is no file yet', () => {
  expect(
    new StateFile(temporaryFolder()).load(() => {
      throw new Error('it is not damaged');
    }),
  ).toEqual(NO_STATE);
});

it.each([
  '',
  '{"version":2}',
  '{"version":1,"bootId":"b","rules":[{}],"containers":[],"policies":{},"labels":""}',
])('takes %j for damaged, and says so', (text) => {
  const file = new StateFile(temporaryFolder());
  writeFileSync(file.path, text);
  const reasons: string[] = [];
  expect(file.load((reason) => reasons.push(reason))).toEqual(NO_STATE);
  expect(reasons).toHaveLength(1);
});
