// What the producer of this node says of itself; it alone knows whether its last self-test passed.
import { z } from 'zod';
import type { AlertctlConfig } from './config.ts';

const USUAL_PORT = 9465;
const TIMEOUT_MS = 10_000;

const kernelSchema = z.object({
  armed: z.boolean(),
  armedKinds: z.array(z.string()),
  disarmed: z.record(z.string(), z.string()),
  containers: z.number(),
  starting: z.number(),
  waiting: z.number(),
  policies: z.number(),
  policiesRefused: z.number(),
  refused: z.record(z.string(), z.array(z.string())),
  /** Frozen by ENFORCER_GATE. */
  held: z.number(),
  policyStatus: z.array(
    z.object({
      policy: z.string(),
      state: z.string(),
      containers: z.number(),
      inForce: z.number(),
      starting: z.number(),
      refused: z.number(),
      reasons: z.array(z.string()),
    }),
  ),
});

export type KernelStatus = z.infer<typeof kernelSchema>;

export type ProducerAnswer =
  | { readonly kernel: KernelStatus; readonly url: string }
  | { readonly kernel: undefined; readonly url: string; readonly problem: string };

/** Never rejects. */
export async function askProducer(
  { httpHost, httpPort }: Pick<AlertctlConfig, 'httpHost' | 'httpPort'>,
  fetchUrl: typeof fetch = fetch,
): Promise<ProducerAnswer> {
  const host = httpHost.includes(':') ? `[${httpHost}]` : httpHost;
  const url = `http://${host}:${httpPort ?? USUAL_PORT}/readyz`;
  try {
    // Not ready is an answer, too.
    const response = await fetchUrl(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const parsed = z.object({ kernel: kernelSchema }).safeParse(await response.json());
    if (parsed.success) return { kernel: parsed.data.kernel, url };
    return { kernel: undefined, url, problem: 'it is not a producer with SOURCE=kernel' };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
    const reason = error instanceof Error ? error.message : String(error);
    return { kernel: undefined, url, problem: cause === '' ? reason : cause };
  }
}
