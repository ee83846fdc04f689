// The shape of a KubeArmorPolicy, as far as it is supported. Anything else in a document is a problem that names it.
import { z } from 'zod';
import { CAPABILITIES, isCapability, isProtocol, PROTOCOLS } from './names.ts';
import { execnameProblem, pathProblem, quote } from './paths.ts';
import { selectorProblems } from './selector.ts';
import { POLICY_API_VERSION, POLICY_KIND } from './unsupported.ts';

export const MAX_RULES_OF_A_LIST = 4096;
const MAX_SOURCES = 64;
const MAX_TAGS = 64;
const MAX_TEXT_CHARACTERS = 4096;
const MAX_LABELS = 128;
const MAX_EXPRESSIONS = 64;
const MAX_VALUES = 256;

/** An object that says by itself which fields it has, when it is given another one. */
function strict<S extends z.core.$ZodLooseShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  const accepted = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? `accepted: ${accepted}` : undefined),
  });
}

/** A text for which `problem` says what is wrong with it. */
function checked(problem: (text: string) => string | undefined): z.ZodString {
  return z.string().check((context) => {
    const message = problem(context.value);
    if (message === undefined) return;
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: `${quote(context.value)} ${message}`,
    });
  });
}

const text = z.string().max(MAX_TEXT_CHARACTERS);

const meta = {
  severity: z.int().min(1).max(10).optional(),
  tags: z.array(text).max(MAX_TAGS).optional(),
  message: text.optional(),
  action: z.enum(['Allow', 'Audit', 'Block']).optional(),
};

const filePath = checked((path) => pathProblem(path, false));
const directory = checked((path) => pathProblem(path, true));
const execname = checked(execnameProblem);

const fromSource = z
  .array(strict({ path: filePath }))
  .min(1)
  .max(MAX_SOURCES)
  .optional();

const common = { ownerOnly: z.boolean().optional(), fromSource, ...meta };

function list<T extends z.ZodType>(rule: T): z.ZodOptional<z.ZodArray<T>> {
  return z.array(rule).max(MAX_RULES_OF_A_LIST).optional();
}

const processPath = strict({ path: filePath.optional(), execname: execname.optional(), ...common }).check(
  (context) => {
    const { path, execname: name } = context.value;
    if ((path === undefined) !== (name === undefined)) return;
    const message =
      path === undefined
        ? 'names nothing; accepted: path or execname'
        : 'has both path and execname; accepted: one';
    context.issues.push({ code: 'custom', input: context.value, message });
  },
);

const recursive = z.boolean().optional();
const readOnly = z.boolean().optional();

const process = strict({
  matchPaths: list(processPath),
  matchDirectories: list(strict({ dir: directory, recursive, ...common })),
  ...meta,
});

const file = strict({
  matchPaths: list(strict({ path: filePath, readOnly, ...common })),
  matchDirectories: list(strict({ dir: directory, recursive, readOnly, ...common })),
  ...meta,
});

/** KubeArmor takes `tcp,udp` for two rules. */
export function commaList(value: string): string[] {
  return value.split(',').map((item) => item.trim().toLowerCase());
}

function names(accepted: readonly string[], known: (name: string) => boolean): z.ZodString {
  return checked((value) => {
    const wrong = commaList(value).find((name) => !known(name));
    if (wrong === undefined) return undefined;
    return `has ${quote(wrong)} in it; accepted, also several with commas: ${accepted.join(', ')}`;
  });
}

const network = strict({
  matchProtocols: list(strict({ protocol: names(PROTOCOLS, isProtocol), fromSource, ...meta })),
  ...meta,
});

const capabilities = strict({
  matchCapabilities: list(strict({ capability: names(CAPABILITIES, isCapability), fromSource, ...meta })),
  ...meta,
});

const selector = strict({
  matchLabels: z
    .record(text.min(1), text)
    .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `more than ${MAX_LABELS} labels`)
    .optional(),
  matchExpressions: z
    .array(
      strict({
        key: z.literal('label'),
        operator: z.enum(['In', 'NotIn']),
        values: z
          .array(checked((value) => (/^[^=]+=/.test(value) ? undefined : 'is no label; accepted: key=value')))
          .min(1)
          .max(MAX_VALUES),
      }),
    )
    .max(MAX_EXPRESSIONS)
    .optional(),
}).check((context) => {
  for (const { path, message } of selectorProblems(context.value)) {
    context.issues.push({ code: 'custom', input: context.value, path: [...path], message });
  }
});

const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const dnsName = checked((name) =>
  DNS_NAME.test(name) ? undefined : 'is no name; accepted: at most 253 of a-z, 0-9, "-" and "."',
);

/** What the API server adds to an object when it is read back; it changes nothing about what a policy does. */
const served = z.unknown().optional();
const metadata = strict({
  name: dnsName,
  namespace: dnsName.optional(),
  labels: served,
  annotations: served,
  creationTimestamp: served,
  deletionGracePeriodSeconds: served,
  deletionTimestamp: served,
  finalizers: served,
  generateName: served,
  generation: served,
  managedFields: served,
  ownerReferences: served,
  resourceVersion: served,
  selfLink: served,
  uid: served,
});

export const policySchema = strict({
  apiVersion: z.literal(POLICY_API_VERSION),
  kind: z.literal(POLICY_KIND),
  metadata,
  spec: strict({
    selector: selector.optional(),
    process: process.optional(),
    file: file.optional(),
    network: network.optional(),
    capabilities: capabilities.optional(),
    ...meta,
  }),
  status: served,
});

export type PolicyDocument = z.infer<typeof policySchema>;
export type PolicySpec = PolicyDocument['spec'];
