// The settings as `--help` lists them: one table, every line at most 100 columns.
import type { Setting, Settings } from './settings.ts';
import { wrap } from './text.ts';

const COLUMNS = 100;
const GAP = 2;

/** Every setting with its environment name, its key in the file, what it is and its default. */
export function settingsHelp(settings: Settings): string {
  const rows = Object.values(settings);
  const envWidth = widest(rows, ({ env }) => env);
  const keyWidth = widest(rows, ({ key }) => key);
  const indent = GAP + envWidth + GAP + keyWidth + GAP;
  const lines = [
    'Settings; later ones win: defaults, YAML file (--config FILE or CONFIG_FILE), environment.',
    'An empty environment variable counts as not set. A secret may stand in a file: <NAME>_FILE.',
    '',
    `${' '.repeat(GAP)}${'environment'.padEnd(envWidth + GAP)}${'in the file'.padEnd(keyWidth + GAP)}what (default)`,
  ];
  for (const row of rows) {
    const head = `${' '.repeat(GAP)}${row.env.padEnd(envWidth + GAP)}${row.key.padEnd(keyWidth + GAP)}`;
    wrap(described(row), COLUMNS - indent).forEach((line, index) => {
      lines.push(`${index === 0 ? head : ' '.repeat(indent)}${line}`);
    });
  }
  return lines.join('\n');
}

function widest(rows: readonly Setting[], text: (row: Setting) => string): number {
  return Math.max(11, ...rows.map((row) => text(row).length));
}

function described(row: Setting): string {
  const unit = row.unit === undefined ? '' : ` In ${row.unit}.`;
  const live = row.live === true ? ' Applied live.' : '';
  return `${row.description}${unit}${live} (${shownDefault(row)})`;
}

function shownDefault({ default: value, secret }: Setting): string {
  if (value === undefined) return 'not set';
  if (secret === true) return 'hidden';
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
