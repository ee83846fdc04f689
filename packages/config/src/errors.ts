// One error says everything that is wrong with the settings, so that an operator fixes them in one go.

/** Exit status of sysexits.h EX_CONFIG: what is wrong is the configuration, and a restart alone will not help. */
export const EXIT_CONFIG = 78;

export interface ConfigProblem {
  /** Where the value came from: `environment`, or the path of the file. */
  readonly source: string;
  /** The name that the operator typed there: environment name or key of the file. */
  readonly key?: string;
  readonly message: string;
}

/** The settings cannot be used. The message names every bad key, what was found and what is accepted; secrets are masked. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
  readonly retryable = false;
  readonly exitCode = EXIT_CONFIG;
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(render(problems), options);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

function render(problems: readonly ConfigProblem[]): string {
  const first = problems[0];
  if (problems.length === 1 && first) return `wrong configuration: ${first.message}`;
  return ['wrong configuration:', ...problems.map((problem) => `  - ${problem.message}`)].join('\n');
}
