/**
 * Changes of what a process logs, by category, while it runs.
 *
 * They set the levels of LogTape's loggers, so that records which are not wanted cost nothing, and
 * apply to every sink: the log, the records that are kept, and those of the program.
 *
 * @module
 */
import { compareLogLevel, type LogLevel as AnyLevel } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError } from "../errors.ts";
import type { LogLevel } from "./log_options.ts";
import {
  type ConfigurableLogger,
  configurableLogger,
  existingLoggers,
  root,
} from "./root_logger.ts";

/** The maximum number of categories with a changed level. */
const MAX_CHANGED = 100;

/** The level of a category. */
export interface CategoryLevel {
  /** The category, with dots between its parts; empty for all that have no level of their own. */
  readonly category: string;
  /** The least severe level that is logged; `off` for none. */
  readonly level: AnyLevel | "off";
  /** The level that it goes back to; absent if it was not changed here. */
  readonly before?: AnyLevel | "off" | undefined;
  /** When it goes back to that, in ms since 1970; absent if it does not by itself. */
  readonly until?: number | undefined;
}

/** What `configure` sets of a logger. */
type Setting = Pick<ConfigurableLogger, "lowestLevel" | "parentSinks">;

/** A level that was changed. It holds its logger, which LogTape would forget. */
interface Change {
  readonly logger: ConfigurableLogger;
  /** The setting before the first change. */
  readonly before: Setting;
  /** The setting now, unless the program has configured LogTape since. */
  readonly now: Setting;
  readonly until: number | undefined;
  readonly timer: ReturnType<typeof setTimeout> | undefined;
}

/** By category. */
const changes = new Map<string, Change>();

/**
 * Changes the level of a category, and of those below it that have none of their own.
 *
 * @param category its full name, with dots between its parts; empty for all.
 * @param options.duration the time in ms after which the level is as before, at most that of a
 * timer. Default: it stays.
 * @param options.onEnd called after that time.
 * @throws {EnsembleError} if the levels of too many categories are changed.
 */
export function changeLogLevel(
  category: string,
  { level, duration, onEnd }: {
    readonly level: LogLevel;
    readonly duration?: number | undefined;
    readonly onEnd?: () => void;
  },
): void {
  const earlier = currentChange(category);
  if (!earlier && changes.size >= MAX_CHANGED) {
    throw new EnsembleError(
      `the levels of ${MAX_CHANGED} categories are changed, and no more can be: set some back to ` +
        "default",
    );
  }
  clearTimeout(earlier?.timer);
  const logger = earlier?.logger ?? configurableLogger(partsOf(category));
  const before = earlier?.before ?? settingOf(logger);
  // The sinks of the root logger get what its own level would hold back.
  const parentSinks = before.parentSinks === "inherit" ? "forward" : before.parentSinks;
  logger.lowestLevel = level;
  if (logger !== root) logger.parentSinks = parentSinks;
  const until = duration === undefined ? undefined : Date.now() + duration;
  const end = () => {
    if (restoreLogLevel(category)) onEnd?.();
  };
  const timer = duration === undefined ? undefined : setTimeout(end, duration);
  timer?.unref();
  changes.set(category, { logger, before, now: settingOf(logger), until, timer });
}

/**
 * Sets the level of a category back to what it was before it was changed here.
 *
 * @returns whether it was changed here, and the program has not configured LogTape since.
 */
export function restoreLogLevel(category: string): boolean {
  const change = currentChange(category);
  if (!change) return false;
  clearTimeout(change.timer);
  changes.delete(category);
  Object.assign(change.logger, change.before);
  return true;
}

/** Sets the levels of all categories back. */
export function restoreLogLevels(): void {
  for (const category of [...changes.keys()]) restoreLogLevel(category);
}

/** The levels of all categories that have one, that of all others first. */
export function logLevels(): CategoryLevel[] {
  for (const category of [...changes.keys()]) currentChange(category);
  return existingLoggers()
    .filter((logger) => logger === root || changes.has(nameOf(logger)) || isLimited(logger))
    .map((logger) => {
      const category = nameOf(logger);
      const { before, until } = changes.get(category) ?? {};
      return {
        category,
        level: levelOf(logger),
        ...before && { before: reachingLevel(logger, before) },
        ...until !== undefined && { until },
      };
    });
}

/**
 * Finds the category that a name means: in lines of text, the runtime's own stand without
 * `gxensemble`.
 *
 * @returns the category, and whether the program has a logger for it so far.
 */
export function findCategory(name: string): { category: string; exists: boolean } {
  const names = new Set(existingLoggers().map(nameOf));
  const own = `gxensemble.${name}`;
  if (name !== "" && !names.has(name) && names.has(own)) return { category: own, exists: true };
  return { category: name, exists: names.has(name) };
}

/** The change of a category. One that the program has overwritten by `configure` is forgotten. */
function currentChange(category: string): Change | undefined {
  const change = changes.get(category);
  if (!change) return undefined;
  const { lowestLevel, parentSinks } = change.logger;
  if (lowestLevel === change.now.lowestLevel && parentSinks === change.now.parentSinks) {
    return change;
  }
  clearTimeout(change.timer);
  changes.delete(category);
  return undefined;
}

function settingOf({ lowestLevel, parentSinks }: Setting): Setting {
  return { lowestLevel, parentSinks };
}

function levelOf({ lowestLevel }: Pick<Setting, "lowestLevel">): AnyLevel | "off" {
  return lowestLevel ?? "off";
}

/** The level of the records of a logger that reach the root's sinks, if it has a setting. */
function reachingLevel(logger: ConfigurableLogger, setting: Setting): AnyLevel | "off" {
  const own = levelOf(setting);
  if (setting.parentSinks !== "inherit" || logger.parent === null) return own;
  const above = reachingLevel(logger.parent, logger.parent);
  return own === "off" || above === "off" ? "off" : compareLogLevel(own, above) < 0 ? above : own;
}

/** Whether a logger drops records itself: the lowest level of one that nothing configured is trace. */
function isLimited({ lowestLevel }: ConfigurableLogger): boolean {
  return lowestLevel !== "trace";
}

function nameOf({ category }: ConfigurableLogger): string {
  return category.join(".");
}

function partsOf(category: string): readonly string[] {
  return category === "" ? [] : category.split(".");
}
