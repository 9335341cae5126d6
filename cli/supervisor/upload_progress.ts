/**
 * The progress of uploads to several hosts, in one line.
 *
 * @module
 */
import { ProgressLine } from "../kit/progress.ts";
import { formatCounted } from "../kit/quantities.ts";

/** Shows how much of a file the hosts have that it is sent to. */
export class UploadProgress implements Disposable {
  readonly #size: number;
  readonly #done = new Map<string, number>();
  readonly #line = new ProgressLine();

  /** Shows nothing yet. */
  constructor(size: number) {
    this.#size = size;
  }

  /** Notes how much a host has. */
  show(host: string, done: number): void {
    this.#done.set(host, done);
    const hosts = this.#done.size;
    const sum = this.#done.values().reduce((sum, each) => sum + each, 0);
    const action = hosts === 1
      ? `sending to ${host}`
      : `sending to ${formatCounted(hosts, "host")}`;
    this.#line.showBar(action, sum, hosts * this.#size);
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    this.#line[Symbol.dispose]();
  }
}
