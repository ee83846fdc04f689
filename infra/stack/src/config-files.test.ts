import { expect, it } from 'vitest';
import { jarsFolder, readPom } from './jars.ts';
import { formatProperties } from './kafka-node.ts';
import { formatRedisConf } from './redis.ts';

it("writes Java's properties so that any path survives", () => {
  expect(formatProperties({ 'log.dirs': '/home/zoë/a\\b', 'node.id': 1, on: false })).toBe(
    'log.dirs=/home/zo\\u00eb/a\\\\b\nnode.id=1\non=false\n',
  );
});

it('has Redis keep everything, on loopback, and quotes its folder', () => {
  const lines = formatRedisConf(6379, '/home/a "b" c').split('\n');
  expect(lines).toContain('bind 127.0.0.1');
  expect(lines).toContain('appendonly yes');
  expect(lines).toContain('maxmemory-policy noeviction');
  expect(lines).toContain('dir "/home/a \\"b\\" c"');
});

it('keeps the jars of every POM apart, in a folder that the environment may name', () => {
  const one = jarsFolder('<a/>', { ALERT_THROTTLE_CACHE: '/cache' });
  expect(one).toMatch(/^\/cache\/jars-[0-9a-f]{12}$/);
  expect(jarsFolder('<b/>', { ALERT_THROTTLE_CACHE: '/cache' })).not.toBe(one);
  expect(jarsFolder('<a/>', { XDG_CACHE_HOME: '/xdg' })).toMatch(/^\/xdg\/alert-throttle\/jars-/);
});

it('pins every version of the POM', () => {
  const versions = [...readPom().matchAll(/<[\w.]*version>([^<$]+)</gi)].map((match) => match[1]);
  expect(versions.length).toBeGreaterThan(3);
  for (const version of versions) expect(version).toMatch(/^\d+(\.\d+)*$/);
});
