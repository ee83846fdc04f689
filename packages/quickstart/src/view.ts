// Keeps the screen up to date: drawn over and over in a terminal, now and then a line elsewhere.
import type { Stage } from './completion.ts';
import { NoticeFeed } from './notices.ts';
import { renderTable, statusLine } from './render.ts';
import type { Screen } from './screen.ts';
import { applyRecord, emptyView, type ViewRecord, type ViewState } from './view-model.ts';

const REFRESH_MS = 250;
const LINE_EVERY_MS = 3_000;
/** Lines of the terminal that are not rows of containers: the table's frame and head, the status line, some air. */
const FRAME_LINES = 9;
const MIN_ROWS = 3;

export class View {
  state: ViewState = emptyView();
  stage: Stage = 'producing';
  readonly #screen: Screen;
  readonly #notices = new NoticeFeed();
  #timer: NodeJS.Timeout | undefined;
  #nextLineMs = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  apply(record: ViewRecord): void {
    const notice = applyRecord(this.state, record);
    if (notice) this.#notices.add(notice);
  }

  /** Forgets what was read so far, and shows what comes from now on. */
  start(): void {
    this.state = emptyView();
    this.#notices.take();
    this.#nextLineMs = Date.now() + LINE_EVERY_MS;
    this.#timer = setInterval(() => this.#refresh(), REFRESH_MS);
  }

  /** Shows what is still to be shown, and takes the live part away. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#refresh();
    this.#screen.endLive();
  }

  #refresh(): void {
    const screen = this.#screen;
    for (const text of this.#notices.take()) screen.print(text);
    const nowMs = Date.now();
    if (screen.isLive) {
      const maxRows = Math.max(MIN_ROWS, screen.rows - FRAME_LINES);
      const table = renderTable(this.state, { nowMs, width: screen.columns, maxRows });
      screen.live(`${table}\n${statusLine(this.state, this.stage, nowMs)}\n`);
    } else if (nowMs >= this.#nextLineMs) {
      screen.print(
        `${new Date(nowMs).toTimeString().slice(0, 8)}  ${statusLine(this.state, this.stage, nowMs)}`,
      );
      this.#nextLineMs = nowMs + LINE_EVERY_MS;
    }
  }
}
