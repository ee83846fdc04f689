// Follows the file that says who the containers are. While it cannot be used, what it said last holds.
import { basename, dirname } from 'node:path';
import { reasonOf } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { followFiles, type SettledFiles } from './adapters/settled-files.ts';
import { parseLabels, type Labels } from './core/labels.ts';

export interface LabelsFileOptions {
  readonly path: string;
  /** What was in force when the last run ended. */
  readonly lastGood: string;
  /** With the text that says so. */
  readonly onLabels: (labels: Labels, text: string) => void;
  readonly logger: Logger;
}

/** Reads the file before it returns. A file that is not there yet is an empty one. */
export function followLabels({ path, lastGood, onLabels, logger }: LabelsFileOptions): SettledFiles {
  const name = basename(path);
  let isKnown = false;
  const accept = (text: string): void => {
    const labels = parseLabels(text);
    isKnown = true;
    onLabels(labels, text);
  };
  const refuse = (reason: string): void => {
    logger.error({ path }, `LABELS_FILE ${path}: ${reason}; what it said last stays`);
    if (!isKnown) accept(lastGood);
  };
  return followFiles({
    folder: dirname(path),
    isMeant: (file) => file === name,
    onTexts: (texts) => {
      const text = texts.get(name) ?? '';
      try {
        if (text instanceof Error) throw text;
        accept(text);
      } catch (error) {
        refuse(reasonOf(error));
      }
    },
    onFolderError: refuse,
  });
}
