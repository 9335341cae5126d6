/**
 * `gxensemble trace`.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { ActorRef } from "../../runtime/actor/references.ts";
import { InvalidInputError } from "../../runtime/errors.ts";
import { hasReader } from "../../runtime/home/standard_stream.ts";
import { parseDuration } from "../../runtime/measures.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  type ClientOptions,
  jsonOption,
  logOption,
  type OutputOptions,
  passphraseFileOption,
  registryOption,
  supervisorOption,
  timeoutOption,
} from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";

/** The limits of a trace, which the server has too, but whose module would take long to load. */
const MAX_COUNT = 100_000;
const MAX_TIME = 600_000;

/** Without `--count` and `--for`, a trace ends after this. */
const DEFAULT_COUNT = 100;
const DEFAULT_TIME = 60_000;

interface TraceCommandOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  count?: number | undefined;
  for?: number | undefined;
  full: boolean;
}

/** Prints what an actor takes, answers and sends. */
export function traceCommand(): CommandUnknownOpts {
  return new Command("trace")
    .description("prints the messages that an actor takes, its answers, and how long they take")
    .addOption(
      completing(
        "nothing",
        new Option("--count <number>", "the number of messages after which it ends")
          .default<number | undefined>(undefined, "100; with --for 100000")
          .argParser<number | undefined>(reading(parseCount)),
      ),
    )
    .addOption(
      completing(
        "nothing",
        new Option("--for <time>", "the time after which it ends, such as 10s, up to 10m")
          .default<number | undefined>(undefined, "1m; with --count 10m")
          .argParser<number | undefined>(reading((text) => parseDuration(text, MAX_TIME))),
      ),
    )
    .addOption(new Option("--full", "shows longer texts of messages and answers").default(false))
    .addOption(registryOption())
    .addOption(supervisorOption())
    .addOption(timeoutOption())
    .addOption(passphraseFileOption())
    .addOption(jsonOption("prints each event as a line of JSON"))
    .addOption(logOption("warning"))
    .addArgument(
      completing(
        "references",
        new Argument("<actor@server>", "the actor").argParser(reading(parseReference)),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["watch what the service counter does", "gxensemble trace counter@httpd1"],
        ["for ten minutes, for a program", "gxensemble trace counter@httpd1 --for 10m --json"],
      ),
    )
    .action(trace);
}

function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (count > 0 && count <= MAX_COUNT) return count;
  throw new InvalidInputError(`not a number of messages from 1 to ${MAX_COUNT}: ${quoted(text)}`);
}

function parseReference(text: string): ActorRef {
  if (!text.includes("@")) {
    throw new InvalidInputError(`no actor is named: ${quoted(text)} has no @`);
  }
  return ActorRef.parse(text);
}

async function trace(ref: ActorRef, options: TraceCommandOptions): Promise<void> {
  const { withConsole } = await import("../kit/console.ts");
  const { Administrator } = await import("../kit/administrator.ts");
  const { unknownActorError } = await import("../kit/actor_messages.ts");
  const { formatEnd, formatRecord, recordToJson } = await import("../kit/trace_lines.ts");
  const { controlClient } = await import("../../runtime/ensemble/remote.ts");
  const { followActor } = await import("../../runtime/observation/trace_following.ts");
  const { count, for: time, full } = options;
  const limits = {
    count: count ?? (time === undefined ? DEFAULT_COUNT : MAX_COUNT),
    time: time ?? (count === undefined ? DEFAULT_TIME : MAX_TIME),
  };
  await withConsole(options, async (actors, console) => {
    const [found] = await controlClient(actors, ref.server).describeActors({ actor: ref.actor });
    if (!found) throw await unknownActorError(actors, ref);
    // Its messages may have secrets: what the administrator types, for example.
    const isPrivate = found.essential || found.group === "root/repl";
    const administrator = new Administrator(console, options);
    const capability = isPrivate ? "admin" : "observer";
    const parts = await administrator.elevating(
      ref.server,
      capability,
      () => followActor(actors, ref, { ...limits, full }),
    );
    if (!parts) throw await unknownActorError(actors, ref);
    printNotice(
      `... tracing ${ref}, for at most ${limits.count} messages and ${limits.time / 1000} s`,
    );
    for await (const { records, lost, end } of parts) {
      for (const record of records) {
        if (options.json) printJson(recordToJson(record), { oneLine: true });
        else printLine(formatRecord(record));
      }
      if (lost > 0) {
        if (options.json) printJson({ event: "lost", count: lost }, { oneLine: true });
        printNotice(`... ${lost} events are left out: they were too many`);
      }
      if (end) {
        if (options.json) printJson({ event: "end", ...end }, { oneLine: true });
        const line = formatEnd(end, `${ref}`);
        if (line !== undefined) printNotice(`... ${line}`);
      }
      if (!hasReader()) return;
    }
  });
}
