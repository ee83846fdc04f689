// The reports of scenarios: one JSON object per line, on a serial line of its own, so that no kernel message breaks one.

export interface GuestLine {
  readonly scenario: string;
  /** What it reports; `ended` and `failed` are the harness's own. */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface ParsedLines {
  readonly lines: readonly GuestLine[];
  /** What is no report, such as a line that was cut off. */
  readonly bad: readonly string[];
}

export function parseLines(text: string): ParsedLines {
  const lines: GuestLine[] = [];
  const bad: string[] = [];
  for (const one of text.replaceAll('\r', '').split('\n')) {
    if (one === '') continue;
    const line = parse(one);
    if (line === undefined) bad.push(one);
    else lines.push(line);
  }
  return { lines, bad };
}

function parse(text: string): GuestLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { scenario, name, data } = value as Partial<Record<keyof GuestLine, unknown>>;
  if (typeof scenario !== 'string' || typeof name !== 'string') return undefined;
  if (typeof data !== 'object' || data === null) return undefined;
  return { scenario, name, data: data as GuestLine['data'] };
}
