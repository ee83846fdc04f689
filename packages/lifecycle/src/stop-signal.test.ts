import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { stopSignal } from './stop-signal.ts';

describe('stopSignal', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => vi.useRealTimers());

  it('aborts at the first signal, and ends at a later one', () => {
    const source = new EventEmitter();
    const again = vi.fn();
    const stop = stopSignal(source, { again });
    expect(stop.aborted).toBe(false);
    source.emit('SIGTERM');
    expect(stop.aborted).toBe(true);
    vi.advanceTimersByTime(1000);
    source.emit('SIGINT');
    expect(again).toHaveBeenCalledOnce();
  });

  it('takes one Ctrl-C that arrives twice for one', () => {
    const source = new EventEmitter();
    const again = vi.fn();
    stopSignal(source, { again });
    source.emit('SIGINT');
    vi.advanceTimersByTime(20);
    source.emit('SIGINT');
    expect(again).not.toHaveBeenCalled();
  });
});
