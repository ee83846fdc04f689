// Talks to a server of the host over several connections at once, and looks for others that it must not reach.
import { connect } from 'node:net';
import type { Guest } from '@alert-throttle/guest/inside';

const HOST = '10.0.2.100';
/** The host itself, where user-mode networking is not restricted. */
const GATEWAY = '10.0.2.2';
const PATIENCE_MS = 3_000;

interface Args {
  readonly port: number;
}

export default async function hostPort(guest: Guest): Promise<void> {
  const { port } = guest.args as Args;
  guest.report('answers', {
    answers: await Promise.all(['a', 'b', 'c'].map((text) => ask(HOST, port, text))),
  });
  guest.report('others', { gateway: await ask(GATEWAY, port, 'x'), other: await ask(HOST, port + 1, 'x') });
}

/** What came back, or '' where nothing did. */
function ask(host: string, port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PATIENCE_MS });
    const end = (answer: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => socket.write(text));
    socket.once('data', (data) => end(data.toString()));
    socket.once('timeout', () => end(''));
    socket.once('error', () => end(''));
  });
}
