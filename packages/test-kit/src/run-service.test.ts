import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { RunningService } from './run-service.ts';

function start(script: string): RunningService {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  return new RunningService('sample', child);
}

it('shows what the service prints, its log, and how it ends', async () => {
  const service = start(
    `console.log('{"level":30,"msg":"ready"}'); console.log('plain'); console.error('{oh'); process.exitCode = 3;`,
  );
  expect(await service.exit()).toEqual({ code: 3, signal: null });
  expect(service.running).toBe(false);
  expect(service.stdout).toBe('{"level":30,"msg":"ready"}\nplain\n');
  expect(service.stderr).toBe('{oh\n');
  expect(service.log).toEqual([{ level: 30, msg: 'ready' }]);
});

it('waits for what is printed', async () => {
  const service = start(`setTimeout(() => console.log('now'), 20); setInterval(() => {}, 1000);`);
  await service.printed('now');
  await service.printed(/^n.w$/m);
  expect(await service.stop()).toEqual({ code: null, signal: 'SIGTERM' });
});

it('does not wait for a service that has ended', async () => {
  const service = start(`console.log('no such setting');`);
  await expect(service.printed('ready')).rejects.toThrow(/ended without ready; it printed:\nno such setting/);
});

it('has what was printed in the error of a wait in vain', async () => {
  const service = start(`console.log('starting'); setInterval(() => {}, 1000);`);
  await service.printed('starting');
  await expect(service.printed('ready', { timeoutMs: 10 })).rejects.toThrow(
    /waited 0.01 s in vain for ready of sample[^]*starting/,
  );
  await service.stop();
});

it('kills a service that does not end when it is told to', async () => {
  const service = start(`process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000);`);
  await service.printed('up');
  expect(await service.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
});
