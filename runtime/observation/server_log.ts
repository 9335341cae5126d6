/**
 * The log of this process as its servers give it to others: its last records, and its levels.
 *
 * @module
 */
import { getLogger, type Sink } from "npm:@logtape/logtape@^2.4.2";
import type { HandlersOf } from "../actor/service.ts";
import {
  changeLogLevel,
  findCategory,
  logLevels,
  restoreLogLevel,
  restoreLogLevels,
} from "../home/log_levels.ts";
import { formatLogLevel } from "../home/log_options.ts";
import { attachSink, detachSink, root } from "../home/root_logger.ts";
import type { ActorServer } from "../server/actor_server.ts";
import { ADMIN } from "../server/capabilities.ts";
import { LogBuffer } from "./log_buffer.ts";
import type { LogHandlers } from "./log_protocol.ts";
import type { ObserverGuard } from "./observer_guard.ts";
import type { ServerStatus } from "./status_protocol.ts";

const logger = getLogger(["gxensemble", "log"]);
const audit = getLogger(["gxensemble", "audit"]);

/** The level of records that are kept if there is no other log. */
const DEFAULT_LEVEL = "info";

/** The interval in which the buffer is attached again, in ms: a program's `configure` detaches it. */
const ATTACH_INTERVAL = 1_000;

/** The time that a reader waits while the server stops, in ms. */
const STOPPING_WAIT = 100;

/** The records of this process, while a server runs in it. All its servers have the same log. */
let kept: { readonly buffer: LogBuffer; servers: number; stop(): void } | undefined;

/** The records of this process, for one of its servers. */
export interface KeptRecords extends Disposable {
  /** Its log. */
  readonly buffer: LogBuffer;
}

/**
 * Keeps the last records of this process, beside its log, until all servers that called this have
 * disposed of it. They are kept as well if there is no log, or if the program has configured
 * LogTape itself: then from the level of its root logger on, without categories that override the
 * sinks of their parents.
 */
export function keepRecords(): KeptRecords {
  const own = kept ??= startKeeping();
  own.servers++;
  return {
    buffer: own.buffer,
    [Symbol.dispose]() {
      if (--own.servers > 0) return;
      own.stop();
      kept = undefined;
    },
  };
}

function startKeeping() {
  const buffer = new LogBuffer();
  const sink: Sink = (record) => buffer.add(record);
  const attach = () => attachSink(sink, { level: DEFAULT_LEVEL, isSilent: true });
  attach();
  const timer = setInterval(attach, ATTACH_INTERVAL);
  timer.unref();
  return {
    buffer,
    servers: 0,
    stop() {
      clearInterval(timer);
      detachSink(sink);
      restoreLogLevels();
    },
  };
}

/** The state of the log, for the state of a server. */
export function logState({ warnings, errors }: LogBuffer): NonNullable<ServerStatus["log"]> {
  return { level: root.lowestLevel ?? "off", warnings, errors };
}

/** The handlers of the log, for the actor `observer`. */
export function logHandlers(
  { capabilities, signal }: Pick<ActorServer, "capabilities" | "signal">,
  { log, guard }: { readonly log: LogBuffer; readonly guard: ObserverGuard },
): HandlersOf<LogHandlers> {
  return {
    async readLog({ wait, ...query }, context) {
      guard.require(context, "logs");
      const page = log.read(query);
      if (!wait || page.records.length > 0 || page.lost > 0) return page;
      const { limit: _, after: __, ...filter } = query;
      // Once the server stops, its last records are not held back.
      const { timeout, signals } = signal.aborted
        ? { timeout: Math.min(wait, STOPPING_WAIT), signals: [context.signal] }
        : { timeout: wait, signals: [context.signal, signal] };
      await log.wait(filter, { timeout, signals });
      return log.read({ ...query, after: page.position });
    },

    logLevels(_request, context) {
      guard.require(context, "log-level");
      return { levels: logLevels() };
    },

    setLogLevel({ category: name, level, duration, by }, { envelope }) {
      const { category, exists } = findCategory(name);
      const whose = category === "" ? "all categories" : category;
      const seconds = duration === undefined ? {} : { seconds: duration / 1000 };
      const change = () => {
        if (level === undefined) return void restoreLogLevel(category);
        const onEnd = () =>
          logger.info("the level of {category} is as before", { category: whose });
        changeLogLevel(category, { level, duration, onEnd });
      };
      const note = () =>
        logger.info("the level of {category} is {level}, by {by}", {
          category: whose,
          level: level === undefined ? "as before" : formatLogLevel(level),
          by,
          ...seconds,
        });
      const action = {
        capability: ADMIN,
        what: "log-level",
        details: { category: whose, level: level ?? "default", ...seconds },
      };
      // A log of errors only would show the change neither here nor in the audit log.
      if (audit.isEnabledFor("info")) {
        capabilities.require(envelope, action);
        note();
        change();
      } else {
        capabilities.attempt(envelope, { ...action, work: change });
        note();
      }
      return { category, exists, levels: logLevels() };
    },
  };
}
