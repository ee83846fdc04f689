// Follows the file that says who the containers are. While it cannot be used, what it said last holds.
import { basename, dirname } from 'node:path';
import { reasonOf } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { followFiles, type SettledFiles } from './adapters/settled-files.ts';
import { NO_LABELS, parseLabels, type Labels } from './core/labels.ts';

export interface LabelsFileOptions {
  readonly path: string;
  readonly onLabels: (labels: Labels) => void;
  readonly logger: Logger;
}

/** Reads the file before it returns. A file that is not there yet is an empty one. */
export function followLabels({ path, onLabels, logger }: LabelsFileOptions): SettledFiles {
  const name = basename(path);
  const refuse = (reason: string): void =>
    logger.error({ path }, `LABELS_FILE ${path}: ${reason}; what it said last stays`);
  return followFiles({
    folder: dirname(path),
    isMeant: (file) => file === name,
    onTexts: (texts) => {
      const text = texts.get(name);
      if (text instanceof Error) {
        refuse(text.message);
        return;
      }
      try {
        onLabels(text === undefined ? NO_LABELS : parseLabels(text));
      } catch (error) {
        refuse(reasonOf(error));
      }
    },
    onFolderError: refuse,
  });
}
