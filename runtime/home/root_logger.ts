/**
 * LogTape's root logger, to which the log of a server is attached directly. If we called LogTape's
 * `configure`, a later call by the program would fail. This way it succeeds, and removes the sinks
 * of all loggers, including ours.
 *
 * @module
 */
import {
  getLogger,
  getLoggers,
  inspectLogger,
  type LogLevel,
  type Sink,
} from "npm:@logtape/logtape@^2.4.2";

/** A logger with the parts that LogTape's `configure` sets, which its types leave out. */
export interface ConfigurableLogger {
  /** Its category. */
  readonly category: readonly string[];
  /** The logger of the category above; null for the root. */
  readonly parent: ConfigurableLogger | null;
  /** Its own sinks. */
  readonly sinks: Sink[];
  /** Records below this level are dropped; null for all records. */
  lowestLevel: LogLevel | null;
  /**
   * Whether records go to the sinks of its parents, too: if those let the level pass, never, or
   * always.
   */
  parentSinks: "inherit" | "override" | "forward";
}

/** The level of a root logger that nothing has configured. */
const UNCONFIGURED = "trace";

/** The logger of a category. */
export function configurableLogger(category: readonly string[]): ConfigurableLogger {
  return getLogger([...category] as [string]) as unknown as ConfigurableLogger;
}

/** All loggers that the program has made so far, parents first. */
export function existingLoggers(): readonly ConfigurableLogger[] {
  return getLoggers() as unknown as ConfigurableLogger[];
}

/** The root logger. */
export const root: ConfigurableLogger = configurableLogger([]);

/** The sinks of this runtime, and those of them that show nothing. */
const own = new Set<Sink>();
const silent = new Set<Sink>();

/** Whether the program, or another copy of LogTape or of this runtime, has configured LogTape. */
export function isConfigured(): boolean {
  return inspectLogger([]).source !== "unconfigured" || root.sinks.some((sink) => !own.has(sink));
}

/**
 * Whether records of a category are shown anywhere, as far as is known. Sinks that only keep them do
 * not count.
 */
export function isShown(category: readonly string[], level: LogLevel): boolean {
  return inspectLogger([...category], { level }).sinkPaths
    .some(({ sink, status }) => status !== "disabled" && !silent.has(sink));
}

/**
 * Attaches a sink of this runtime.
 *
 * @param options.level the level of the root logger if nothing else is attached to it.
 * @param options.isSilent whether it only keeps records, to be asked for. Default: false.
 */
export function attachSink(
  sink: Sink,
  { level, isSilent = false }: { readonly level: LogLevel; readonly isSilent?: boolean },
): void {
  own.add(sink);
  if (isSilent) silent.add(sink);
  if (root.sinks.includes(sink)) return;
  if (root.sinks.length === 0) root.lowestLevel = level;
  root.sinks.push(sink);
}

/** Detaches a sink. The root logger without sinks is as before LogTape was configured. */
export function detachSink(sink: Sink): void {
  own.delete(sink);
  silent.delete(sink);
  const index = root.sinks.indexOf(sink);
  if (index < 0) return;
  root.sinks.splice(index, 1);
  if (root.sinks.length === 0) root.lowestLevel = UNCONFIGURED;
}
