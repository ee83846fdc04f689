import { describe, expect, test } from 'vitest';
import { DEFAULT_SIZES, entriesByMap, type KernelSizes } from './sizes.ts';

describe('sizes', () => {
  test('each map gets the size that it depends on', () => {
    const entries = entriesByMap({ ...DEFAULT_SIZES, windows: 7, containers: 5, auditRingBytes: 8192 });
    expect(entries.get('kubearmor_alert_throttle')).toBe(7);
    expect(entries.get('window_requests')).toBe(5);
    expect(entries.get('audit_ring')).toBe(8192);
  });

  test.each<Partial<KernelSizes>>([
    { windows: 0 },
    { rules: 1.5 },
    { members: -1 },
    { containers: 2 ** 30 },
    { enforcementRingBytes: 4095 },
    { auditRingBytes: 12_288 },
    { auditRingBytes: 2048 },
  ])('%o is refused by name', (size) => {
    expect(() => entriesByMap({ ...DEFAULT_SIZES, ...size })).toThrow(
      expect.objectContaining({
        code: 'BAD_SIZES',
        message: expect.stringContaining(Object.keys(size)[0] ?? '') as string,
      }) as Error,
    );
  });
});
