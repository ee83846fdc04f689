// The start of the kernel source. Its order carries the safety, so it stands here, step by step, with why.
import { mkdirSync } from 'node:fs';
import { reasonOf } from '../errors.ts';
import type { Clock } from '../ports.ts';
import { SELF_TEST_PROFILE, type KernelNodeOptions, type Parts } from './assemble.ts';
import type { Limits } from './kernel-port.ts';
import { followLabels } from './labels-file.ts';
import { PolicyFolder } from './policy-folder.ts';
import type { SettledFiles } from './adapters/settled-files.ts';

const UNTHROTTLED: Limits = { alertThrottling: false, maxAlertPerSec: 1, throttleSec: 1 };

/** Containers that do not answer within so long get their rules as they are written. */
const ASK_MS = 30_000;

/** What is followed from the start on. */
export interface Followed {
  policies: PolicyFolder | undefined;
  labels: SettledFiles | undefined;
  /** Of the file of labels, as it was used last. */
  labelsText: string | undefined;
  /** The start is over. */
  isStarted: boolean;
}

/** `followed` is filled on the way, as what is told meanwhile needs it. Throws KERNEL_UNUSABLE. */
export async function begin(options: KernelNodeOptions, parts: Parts, followed: Followed): Promise<void> {
  const { kernel, stateDir, logger, clock } = options;
  mkdirSync(stateDir, { recursive: true });
  for (const note of kernel.notes) logger.warn({}, note);
  for (const { hook, name, attached, reason } of kernel.programs())
    if (hook.startsWith('iter/') && !attached)
      logger.error(
        { name },
        `${name} is not attached (${reason ?? ''}): ends of intervals are told late or never`,
      );
  // 1. The clock, and the self-test's own limits: every record needs the one, and no test must be throttled.
  kernel.setLimits(SELF_TEST_PROFILE, UNTHROTTLED);
  parts.upkeep.sweep();
  // 2. Policies before any container: one that is enforced already must not be without its rules for a moment.
  followed.policies = policiesOf(options, parts);
  // 3. What is known of containers from before: where their rules lead, which must not have to be found out again.
  recall(parts);
  // 4. Labels before containers are looked at: they say which policies apply. This looks at containers, too.
  followed.labels = labelsOf(options, parts, followed);
  // 5. Containers that are there. From here on, one that is found is new.
  const isSeen = parts.containers.scan();
  parts.containers.started();
  // 6. Their rules: each is asked where they lead in it. One that hangs must not keep the others from being enforced.
  await withinAskMs(clock, parts.changes.settled());
  parts.changes.applyUnasked();
  // 7. Those of the run before that are gone: they get their last reports and tombstones.
  sayFarewell(options, parts);
  // 8. Slots in the kernel that nobody would ever let go of, as no memory has their containers.
  if (isSeen) freeForgotten(options, parts);
  // 9. Only now may these programs decide: every container that is there has its rules in them.
  kernel.activate();
  // 10. Events, as from here on every container that they can be of is known, or can be found.
  kernel.start((events, release) => {
    try {
      parts.feed.take(events, release);
    } catch (error) {
      parts.queue.fail(error instanceof Error ? error : new Error(reasonOf(error)));
    }
  });
  followed.isStarted = true;
  // 11. The proof that it works, and what each second needs.
  parts.arming.start();
  parts.upkeep.start();
  logger.info(
    { adopted: kernel.adopted, containers: parts.containers.all.length },
    kernel.adopted
      ? 'kernel source: took over the programs that were enforcing already'
      : 'kernel source: programs attached and enforcing',
  );
}

async function withinAskMs(clock: Clock, done: Promise<void>): Promise<void> {
  const over = new AbortController();
  await Promise.race([done, clock.sleep(ASK_MS, over.signal)]);
  // A timer would keep the process from ending.
  over.abort();
}

function policiesOf({ kernel, policyDir }: KernelNodeOptions, parts: Parts): PolicyFolder {
  return new PolicyFolder({
    folder: policyDir,
    lastGood: parts.memory.before.policies,
    hasRulesInForce: kernel.containers().some(({ ruleSetDigest }) => ruleSetDigest !== undefined),
    voice: parts.voice,
    onPolicies: (policies) => parts.changes.policies(policies),
  });
}

function labelsOf(
  { labelsFile, logger }: KernelNodeOptions,
  { memory, changes }: Parts,
  followed: Followed,
): SettledFiles | undefined {
  if (labelsFile === undefined) return undefined;
  return followLabels({
    path: labelsFile,
    lastGood: memory.before.labels,
    logger,
    onLabels: (labels, text) => {
      followed.labelsText = text;
      changes.labels(labels);
    },
  });
}

function recall({ memory, enforcement }: Parts): void {
  const { before } = memory;
  if (!before.isSameBoot) return;
  for (const { cgroupId, targets } of before.containers) enforcement.remember(BigInt(cgroupId), targets);
}

/** In another boot, cgroups have other ids; but who is not there any more is not there. */
function sayFarewell({ node }: KernelNodeOptions, { containers, memory, queue }: Parts): void {
  const { before } = memory;
  if (before.isSameBoot) {
    containers.remember(before.containers);
    return;
  }
  const there = new Set(containers.all.map(({ known }) => known.identity.ContainerID));
  for (const { identity } of before.containers)
    if (!there.has(identity.ContainerID)) queue.tombstone(identity.ContainerID, node.nodeId);
}

function freeForgotten({ kernel }: KernelNodeOptions, { containers }: Parts): void {
  const known = new Set(containers.all.map(({ cgroupId }) => cgroupId));
  for (const { cgroupId } of kernel.containers()) if (!known.has(cgroupId)) kernel.removeContainer(cgroupId);
}
