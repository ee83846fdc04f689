import { makeAlert } from '@alert-throttle/alert';
import { describe, expect, it } from 'vitest';
import { renderNextSteps, renderSummary, type NextSteps } from './summary.ts';
import { applyRecord, emptyView, type ViewState } from './view-model.ts';

function passing(containers: number): ViewState {
  const state = emptyView();
  for (let index = 0; index < containers; index++) {
    const alert = makeAlert({ ContainerID: `c${index}`, Sequence: index + 1, BootID: 'b' });
    for (const topic of ['raw', 'throttled'] as const)
      applyRecord(state, { topic, partition: 0, offset: index, timestampMs: 0, key: '', alert });
  }
  return state;
}

const complete = { complete: true, alertThrottling: true };

describe('the summary', () => {
  it('says that the counts add up', () => {
    const text = renderSummary(passing(2), complete);
    expect(text).toContain(
      'The counts add up: 2 seen = 2 passed + 0 dropped, and AlertThresholdEnded reported 0.',
    );
    expect(text).toMatch(/total +│ +2 │ +2 │ +0 │/);
  });

  it('says so when they do not, and where', () => {
    const state = passing(12);
    for (const row of state.rows.values()) row.passed--;
    const text = renderSummary(state, complete);
    expect(text).toContain('THE COUNTS DO NOT ADD UP:');
    expect(text).toContain('c0: 1 seen, 0 passed, but 0 reported as dropped');
    expect(text).toContain('and 2 more');
  });

  it('makes no claim about a run that was stopped', () => {
    expect(renderSummary(passing(1), { ...complete, complete: false })).toContain('Stopped before the end');
  });

  it('says that throttling is off', () => {
    expect(renderSummary(passing(1), { ...complete, alertThrottling: false })).toContain('Throttling is off');
  });

  it('names what went elsewhere', () => {
    const state = passing(1);
    Object.assign(state, { deadLetters: 1, repeats: 2, unreadable: 3 });
    const text = renderSummary(state, complete);
    expect(text).toContain('1 record went to the dead-letter topic');
    expect(text).toContain('2 records lay on the raw topic twice');
    expect(text).toContain('3 records of the raw topic could not be read');
  });

  it('keeps to a page', () => {
    const text = renderSummary(passing(500), complete);
    expect(text.split('\n').length).toBeLessThan(45);
    expect(text).toContain('and 470 more');
  });
});

describe('the next steps', () => {
  const steps: NextSteps = {
    stackGoesOn: false,
    external: false,
    group: 'alert-throttle',
    rawTopic: 'kubearmor.alerts',
    partition: 4,
    envFile: '.stack/env',
    logs: '.stack/logs/npm-start/1',
  };

  it('start the stack again where it was stopped', () => {
    expect(renderNextSteps(steps)).toContain('npm run stack:up');
    expect(renderNextSteps({ ...steps, stackGoesOn: true })).not.toContain('npm run stack:up');
  });

  it('name the key of a partition', () => {
    expect(renderNextSteps(steps)).toContain(`HGETALL 'throttle:{alert-throttle/kubearmor.alerts/4}'`);
  });

  it('leave the addresses to the user whose servers they are', () => {
    expect(renderNextSteps({ ...steps, external: true })).not.toContain('.stack/env');
  });
});
