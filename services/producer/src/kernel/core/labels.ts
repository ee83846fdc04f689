// Who a container is for people and for policies: read from a YAML file that whoever starts containers writes, since the
// kernel knows nothing of pods.
//
//   containers:
//     - match: { id: a4e3d52aeda8 }        # the beginning of its id; or name: web, or cgroup: /system.slice/web.scope
//       name: wordpress
//       namespace: wordpress-mysql
//       pod: wordpress-586468bf4f-8bf6x
//       image: docker.io/library/wordpress:4.8-apache
//       labels: { app: wordpress }
//       owner: { ref: Deployment, name: wordpress, namespace: wordpress-mysql }
//       annotations: { kubearmor-policy: audited }
//       namespaceAnnotations: { kubearmor-file-posture: block }
//
// All but `match` may be left out; the namespace is then `default`. Annotations are KubeArmor's.
// A cgroup that is matched by its path or name is a container even where it follows no runtime's pattern.
import { parseDocument } from 'yaml';
import { z } from 'zod';

/** Shorter beginnings of ids would soon match two containers. */
const MIN_ID_PREFIX = 12;
const MAX_CONTAINERS = 100_000;

const short = z.string().min(1).max(512);
const texts = z.record(z.string().max(317), z.coerce.string().max(512));

const entrySchema = z.strictObject({
  match: z.union([
    z.strictObject({ id: z.string().min(MIN_ID_PREFIX).max(64) }),
    z.strictObject({ name: short }),
    z.strictObject({ cgroup: z.string().regex(/^\/[^\0]*[^/]$/) }),
  ]),
  name: short.optional(),
  namespace: short.optional(),
  pod: short.optional(),
  image: z.string().min(1).max(2_048).optional(),
  labels: texts.optional(),
  owner: z.strictObject({ ref: short, name: short, namespace: short.optional() }).optional(),
  annotations: texts.optional(),
  namespaceAnnotations: texts.optional(),
});

const fileSchema = z.strictObject({ containers: z.array(entrySchema).max(MAX_CONTAINERS).nullish() });

export type LabelEntry = z.infer<typeof entrySchema>;

export interface Asked {
  readonly id: string;
  readonly cgroupPath: string;
}

/** Where nobody says which namespace a container is in. */
export const NAMELESS_NAMESPACE = 'default';

export class Labels {
  readonly entries: readonly LabelEntry[];
  readonly #byName = new Map<string, LabelEntry>();
  readonly #byCgroup = new Map<string, LabelEntry>();
  /** Filed by the shortest beginning that is allowed. */
  readonly #byId = new Map<string, { readonly prefix: string; readonly entry: LabelEntry }[]>();

  constructor(entries: readonly LabelEntry[] = []) {
    this.entries = entries;
    for (const entry of entries) {
      const { match } = entry;
      if ('name' in match) this.#byName.set(match.name, entry);
      else if ('cgroup' in match) this.#byCgroup.set(match.cgroup, entry);
      else {
        const key = match.id.slice(0, MIN_ID_PREFIX);
        this.#byId.set(key, [...(this.#byId.get(key) ?? []), { prefix: match.id, entry }]);
      }
    }
  }

  /** The cgroup's own path before the id before the name, which is the last part of the path without what runtimes add. */
  find({ id, cgroupPath }: Asked): LabelEntry | undefined {
    const byPath = this.#byCgroup.get(cgroupPath);
    if (byPath) return byPath;
    const candidates = this.#byId.get(id.slice(0, MIN_ID_PREFIX)) ?? [];
    const [longest] = candidates
      .filter(({ prefix }) => id.startsWith(prefix))
      .sort((left, right) => right.prefix.length - left.prefix.length);
    return longest?.entry ?? this.#byName.get(nameOf(cgroupPath));
  }

  /** Whether the cgroup is a container because an entry names its path or its name. */
  isListed(cgroupPath: string): boolean {
    return this.#byCgroup.has(cgroupPath) || this.#byName.has(nameOf(cgroupPath));
  }
}

export const NO_LABELS = new Labels();

/** `/a/runc-web.scope` -> `web`. */
export function nameOf(cgroupPath: string): string {
  const last = cgroupPath.slice(cgroupPath.lastIndexOf('/') + 1);
  const scope = /^(?:[a-z]+-)?(.+)\.scope$/.exec(last);
  return scope?.[1] ?? last;
}

/** Throws an Error that says where and what, with the accepted values. */
export function parseLabels(text: string): Labels {
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error) throw new Error(`not YAML: ${error.message}`);
  const content: unknown = document.toJS({ maxAliasCount: 100 });
  if (content === null || content === undefined) return NO_LABELS;
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) throw new Error(explain(parsed.error));
  return new Labels(parsed.data.containers ?? []);
}

const MATCH_HELP = `one of id (the first ${MIN_ID_PREFIX} characters or more), name, cgroup (a path from /)`;

function explain(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'not usable';
  const [list, index, field] = issue.path;
  const place = issue.path.map(String).join('.');
  if (field === 'match') return `${String(list)}.${String(index)}.match: expected ${MATCH_HELP}`;
  return `${place}: ${issue.message}`;
}
