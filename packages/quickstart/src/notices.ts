// Events on their way to the screen. A file with thousands of floods must neither bury the view nor fill the memory.
import { noticeBlock, noticeLine } from './render.ts';
import type { Notice } from './view-model.ts';

/** So many AlertThreshold events are shown with every field; later ones get a line. */
const MAX_BLOCKS = 20;
/** Events shown per refresh; what is above it is counted. */
const MAX_PER_REFRESH = 20;

export class NoticeFeed {
  #waiting: Notice[] = [];
  #skipped = 0;
  #blocksLeft = MAX_BLOCKS;

  add(notice: Notice): void {
    if (this.#waiting.length < MAX_PER_REFRESH) this.#waiting.push(notice);
    else this.#skipped++;
  }

  /** What is to be printed now, as texts of one or more lines. */
  take(): string[] {
    const texts = this.#waiting.map((notice) => this.#text(notice));
    if (this.#skipped > 0) texts.push(`... and ${this.#skipped} more events`);
    this.#waiting = [];
    this.#skipped = 0;
    return texts;
  }

  #text(notice: Notice): string {
    if (notice.kind !== 'threshold' || this.#blocksLeft === 0) return noticeLine(notice);
    this.#blocksLeft--;
    return noticeBlock(notice);
  }
}
