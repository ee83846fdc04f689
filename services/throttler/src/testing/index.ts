// What tests of other packages take from here.

export { differences, expectedOutcome, identityOf, type LoggedRecord, outcomeOf } from './oracle.ts';
export { randomFrom, seedOf } from './random.ts';
export { Scenario, type ScenarioOptions } from './scenario.ts';
export { ThrottlerRun } from './throttler-run.ts';
