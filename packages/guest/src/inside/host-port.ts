// Ports of the host at the guest's own loopback. A server names itself to its clients by the address that it listens on
// (a Kafka broker does), so what is 127.0.0.1 there has to be the same server here.
import { connect, createServer } from 'node:net';

/** Where QEMU forwards ports from. */
const HOST = '10.0.2.100';

/** Until the scenario ends. The port is one of those that the guest was given. */
export async function hostPort(port: number): Promise<void> {
  const server = createServer((near) => {
    const far = connect(port, HOST);
    const close = (): void => {
      near.destroy();
      far.destroy();
    };
    near.on('error', close).on('close', close);
    far.on('error', close).on('close', close);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', listening);
  });
}
