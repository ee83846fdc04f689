// The probing process: looks at the processes of containers and at where paths lead inside them. What it touches may be a
// file system that never answers; then this process hangs, and not the producer. It ends with its standard input.
import { readSync, writeSync } from 'node:fs';
import { resolveInRoot } from '@alert-throttle/kernel/resolve';
import { reasonOf } from '../../errors.ts';
import { decodeQuestion, encode, READY, type Answer, type Question } from './probe-protocol.ts';
import { factsOf, isThere } from './processes.ts';

const STDIN = 0;
const STDOUT = 1;

function say(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at);
}

function answer(question: Question): Answer {
  if (question.kind === 'facts') return { kind: 'facts', facts: factsOf(question.pid) };
  const targets = new Map<string, string | undefined>();
  const errors = new Map<string, string>();
  const wasThere = isThere(question);
  for (const path of wasThere ? question.paths : [])
    try {
      targets.set(path, resolveInRoot(question.pid, path));
    } catch (error) {
      errors.set(path, reasonOf(error));
    }
  return { kind: 'paths', isThere: wasThere && isThere(question), targets, errors };
}

say(`${READY}\n`);
const chunk = Buffer.alloc(65_536);
let rest = Buffer.alloc(0);
for (;;) {
  const length = readSync(STDIN, chunk);
  if (length === 0) break;
  rest = Buffer.concat([rest, chunk.subarray(0, length)]);
  for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
    say(encode(answer(decodeQuestion(rest.subarray(0, end).toString()))));
    rest = rest.subarray(end + 1);
  }
}
