import { expect, it } from 'vitest';
import { checkpointKey, throttledKey } from './checkpoint-keys.ts';

it('names both keys with one hash tag', () => {
  expect(checkpointKey('alert-throttle', 'kubearmor.alerts', 3)).toBe(
    'throttle:{alert-throttle/kubearmor.alerts/3}',
  );
  expect(throttledKey('alert-throttle', 'kubearmor.alerts', 3)).toBe(
    'throttle:{alert-throttle/kubearmor.alerts/3}:throttled',
  );
});
