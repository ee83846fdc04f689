// Every operation that rules judge, on the newer kernel: what is named is refused or told of, once and completely, and its
// neighbour is nobody's business. On 6.1 the same operations go all the way to Kafka, in e2e.
import { KERNELS, runGuestOrThrow, type GuestLine } from '@alert-throttle/guest';
import { beforeAll, describe, expect, it } from 'vitest';
import { CONTAINERS, idOf, portOf, type ContainerKind } from '../scenarios/enforcement/all-operations.ts';
import { casesWithPort, type Case } from '../scenarios/enforcement/operations.ts';

const [, NEWER] = KERNELS;
const WORKLOAD = '/usr/bin/workload';
const LAUNCHER = '/w/.guest/bin/launch';
/** Of sockets of TCP, as they were asked for and as they are: AF_INET, SOCK_STREAM, and the protocol. */
const ASKED = [2, 1, 0];
const MADE = [2, 1, 6];
/** The flags that the descriptor was opened with. */
const RECEIVED_FLAGS = 0x8000;
const CAP_SYS_CHROOT = 18;

/** What the programs call it. */
const OPERATIONS: Readonly<Record<string, string>> = {
  SECURITY_BPRM_CHECK: 'exec',
  FILE_OPEN: 'open',
  FILE_RECEIVE: 'receive',
  FILE_MKNOD: 'create',
  FILE_UNLINK: 'unlink',
  FILE_SYMLINK: 'symlink',
  FILE_MKDIR: 'mkdir',
  FILE_RMDIR: 'rmdir',
  FILE_CHMOD: 'chmod',
  FILE_CHOWN: 'chown',
  FILE_TRUNCATE: 'truncate',
  FILE_PERMISSION: 'write',
  SB_MOUNT: 'mount',
  MOVE_MOUNT: 'moveMount',
  SB_PIVOTROOT: 'pivotRoot',
  SOCKET_CREATE: 'socketCreate',
  SOCKET_CONNECT: 'socketConnect',
  SOCKET_ACCEPT: 'socketAccept',
  CAPABLE: 'capable',
};
const KINDS = { File: 'file', Process: 'process', Network: 'network', Capabilities: 'capability' } as const;

function operationOf({ alert, operation }: Case): string {
  const { lsm, resource } = alert;
  const direction = operation[1] === resource ? 'From' : 'To';
  if (lsm === 'FILE_RENAME') return `rename${direction}`;
  if (lsm === 'FILE_LINK') return `link${direction}`;
  if (lsm === 'MMAP_FILE') return alert.operation === 'Process' ? 'mapExec' : 'mapWrite';
  return OPERATIONS[lsm] ?? expect.unreachable(lsm);
}

function argsOf({ alert }: Case): readonly number[] {
  const { Flags = 0, Port } = alert.more ?? {};
  if (alert.operation === 'Network') return Port === undefined ? [...ASKED, 0] : [...MADE, Number(Port)];
  if (alert.operation === 'Capabilities') return [CAP_SYS_CHROOT, 0, 0, 0];
  return [alert.lsm === 'FILE_RECEIVE' ? RECEIVED_FLAGS : Number(Flags), 0, 0, 0];
}

/** What the rule names that is to be told of. */
function ruleOf({ alert }: Case): string {
  if (alert.operation === 'Network') return 'tcp';
  if (alert.operation === 'Capabilities') return 'sys_chroot';
  if (alert.operation === 'Process') return '/usr/bin/dynamic';
  return alert.more?.['ProtectedPath'] ?? '/guarded/';
}

describe(`kernel ${NEWER}`, () => {
  let lines: readonly GuestLine[] = [];

  beforeAll(async () => {
    ({ lines } = await runGuestOrThrow({
      kernel: NEWER,
      scenarios: [{ module: 'packages/kernel/scenarios/enforcement/all-operations.ts' }],
      timeoutMs: 850_000,
    }));
  });

  describe.each(Object.keys(CONTAINERS) as ContainerKind[])('a container that is %s', (kind) => {
    const { action, audited } = CONTAINERS[kind];
    const refuses = action === 'Block' && !audited;
    const cases = casesWithPort(portOf(kind));
    const loud = cases.filter(
      ({ auditRule, auditedPod }) => refuses || (audited ? auditedPod : auditRule) === 'alert',
    );
    const report = (): GuestLine['data'] =>
      lines.find(({ name }) => name === kind)?.data ?? expect.unreachable(`no report: ${kind}`);

    it('refuses what is named, if at all, and lets its neighbour be', () => {
      expect(report()['outcomes']).toEqual(
        cases.map(({ name, alert, isRefusedLater, otherwise = 'done' }) => {
          const refused = isRefusedLater ? 'ended with 127' : (alert.error ?? 'EACCES');
          return { name, guarded: refuses ? refused : otherwise, neighbour: otherwise };
        }),
      );
    });

    it('raises one whole alert for each, none for the neighbours, and nothing else', () => {
      const { alerts, others, counted, pid } = report();
      expect(others).toEqual([]);
      expect(alerts).toEqual(loud.map((one) => alertOf(one, pid as number)));
      const all = loud.length;
      expect(counted).toEqual(refuses ? [all, all, 0, 0, 0, 0] : [0, 0, 0, 0, all, 0]);
    });

    function alertOf(one: Case, pid: number): object {
      const { source = WORKLOAD, more = {}, error = 'EACCES', ...alert } = one.alert;
      const isChild = one.operation[0] === 'exec';
      const hasPath = alert.operation === 'File' || alert.operation === 'Process';
      const resource = hasPath ? alert.resource.replace('$root', `/run/containers/${idOf(kind)}/rootfs`) : '';
      const anyNumber = expect.any(Number) as number;
      const flag = { unreachable: false, truncated: false, overflow: false };
      const anyCount = expect.stringMatching(/^\d+$/) as string;
      const ring = refuses ? 'enforcement' : 'audit';
      const forbidden = error === 'EPERM' ? [-1, 'Operation not permitted'] : [-13, 'Permission denied'];
      const [result, text] = refuses ? forbidden : [0, 'Passed'];
      return {
        ...{ type: 'alert', ring, number: anyNumber, timeNs: anyCount, container: anyCount, isOwn: true },
        ...{ operation: operationOf(one), kind: KINDS[alert.operation], result, rule: anyNumber },
        flags: { ...flag, audited, hint: 'ProtectedPath' in more, write: more['Access'] === 'write' },
        ...(isChild
          ? { hostPid: anyNumber, pid: anyNumber, hostPpid: pid, ppid: 1, parent: WORKLOAD }
          : { hostPid: pid, pid: 1, hostPpid: anyNumber, ppid: 0, parent: LAUNCHER }),
        ...{ uid: 0, pidNs: anyNumber, mntNs: anyNumber, args: argsOf(one), resource, cwd: '/', tty: '' },
        ...{ process: source, comm: expect.stringMatching(/^[\w.-]{1,15}$/) as string },
        parentComm: isChild ? 'workload' : 'launch',
        ruled: ruleOf(one),
        text: {
          ...{ PolicyName: 'policy-0', Operation: alert.operation, Resource: resource, Result: text },
          Action: audited ? 'Audit (Block)' : action,
          ...{ Enforcer: refuses ? 'lsm' : 'eBPF Monitor', Severity: '1', Tags: [], Message: '' },
          ...{ refused: refuses, ring },
        },
      };
    }
  });
});
