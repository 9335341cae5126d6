/**
 * `gxensemble profile`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import type { Client } from "../../runtime/actor/service.ts";
import { parseDuration } from "../../runtime/measures.ts";
import type { ObserverHandlers } from "../../runtime/observation/observer_protocol.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  type ClientOptions,
  forceOption,
  jsonOption,
  logOption,
  type OutputOptions,
  passphraseFileOption,
  registryOption,
  serverIdArgument,
  supervisorOption,
  timeoutOption,
} from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";

/** The longest time of a processor profile, in ms: the server's limit. */
const MAX_TIME = 300_000;

/** How long an answer may take beyond the time that the profile takes, in ms. */
const PATIENCE = 30_000;

/** From this size of the heap, in bytes, a snapshot is only taken if the user agrees. */
const LARGE_HEAP = 32 << 20;

/** What a snapshot takes for each byte of the heap, as measured: time in ms, and memory in bytes. */
const SNAPSHOT_TIME = 1e-4;
const SNAPSHOT_MEMORY = 10;

/** The number of functions that are printed. */
const MOST_FUNCTIONS = 10;

interface ProfileOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  cpu?: number | undefined;
  heap: boolean;
  output?: string | undefined;
  force: boolean;
}

/** Profiles the processor or the heap of a server. */
export function profileCommand(): CommandUnknownOpts {
  return new Command("profile")
    .description(
      "writes a profile of a server's code, or a snapshot of its memory, for Chrome's DevTools",
    )
    .addOption(
      completing(
        "nothing",
        new Option("--cpu <time>", "profiles what the server's code does for a time such as 10s")
          .argParser<number | undefined>(reading((text) => parseDuration(text, MAX_TIME)))
          .conflicts("heap"),
      ),
    )
    .addOption(
      new Option("--heap", "takes a snapshot of its heap, for which the server stops").default(
        false,
      ),
    )
    .addOption(
      completing(
        "files",
        new Option(
          "-o, --output <file>",
          "the file to write, by default <server-id>.cpuprofile or <server-id>.heapsnapshot",
        ),
      ),
    )
    .addOption(forceOption("replace the file, and stop a server with a large heap"))
    .addOption(registryOption())
    .addOption(supervisorOption())
    .addOption(timeoutOption())
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverIdArgument())
    .addHelpText(
      "after",
      examples(
        ["see in which functions a server spends its time", "gxensemble profile httpd1 --cpu 10s"],
        ["see what fills its memory", "gxensemble profile httpd1 --heap -o before.heapsnapshot"],
      ),
    )
    .action(async (server, options, command) => {
      if (options.cpu === undefined && !options.heap) {
        command.error("nothing to profile: give --cpu <time> or --heap");
      }
      await profile(server, options);
    });
}

async function profile(server: string, options: ProfileOptions): Promise<void> {
  const { withConsole } = await import("../kit/console.ts");
  const { Administrator } = await import("../kit/administrator.ts");
  const { existsAlready, fetchProfile } = await import("../kit/profile_file.ts");
  const { ProgressLine } = await import("../kit/progress.ts");
  const { isThere } = await import("../../runtime/home/files.ts");
  const { observerClient } = await import("../../runtime/observation/observer_protocol.ts");
  const { cpu, force } = options;
  const path = options.output ??
    `${server}.${cpu === undefined ? "heapsnapshot" : "cpuprofile"}`;
  if (!force && await isThere(path)) throw existsAlready(path);
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    const observer = observerClient(actors, server);
    await administrator.elevating(server, "admin", async () => {
      const kept = cpu === undefined
        ? await takeSnapshot(observer, { server, force })
        : await takeProfile(observer, { server, time: cpu });
      using progress = new ProgressLine();
      const onPart = (done: number) => progress.showBar("fetching", done, kept.size);
      await fetchProfile(observer, kept, { path, replace: force, onPart });
      await report(path, { server, bytes: kept.size, isCpu: cpu !== undefined, options });
    });
  });
}

async function takeProfile(
  observer: Client<ObserverHandlers>,
  { server, time }: { server: string; time: number },
) {
  printNotice(`... profiling ${server} for ${time / 1000} s`);
  return await observer.profileProcessor({ time }, { timeout: time + PATIENCE });
}

async function takeSnapshot(
  observer: Client<ObserverHandlers>,
  { server, force }: { server: string; force: boolean },
) {
  const { formatBytes } = await import("../kit/quantities.ts");
  const { memory: { heapUsed } } = await observer.status();
  const seconds = Math.ceil(heapUsed * SNAPSHOT_TIME / 1000);
  const stops = `${server} stops for about ${seconds} s and takes about ` +
    `${formatBytes(heapUsed * SNAPSHOT_MEMORY)} more memory, since its heap has ${
      formatBytes(heapUsed)
    }`;
  if (!force && heapUsed > LARGE_HEAP) await confirmed(stops);
  printNotice(`... ${stops}`);
  return await observer.snapshotHeap({}, { timeout: 10 * seconds * 1000 + PATIENCE });
}

/**
 * Has the user confirm that a server stops for a while.
 *
 * @throws {EnsembleError} if the user does not, or there is no terminal.
 */
async function confirmed(stops: string): Promise<void> {
  const { EnsembleError } = await import("../../runtime/errors.ts");
  const { askYesOrNo } = await import("../kit/prompts.ts");
  if (!Deno.stdin.isTerminal()) {
    throw new EnsembleError(`${stops}: take the snapshot nevertheless with --force`);
  }
  if (!await askYesOrNo(`${stops}. Take the snapshot?`)) {
    throw new EnsembleError("canceled: no snapshot was taken");
  }
}

async function report(
  path: string,
  { server, bytes, isCpu, options }: {
    server: string;
    bytes: number;
    isCpu: boolean;
    options: ProfileOptions;
  },
): Promise<void> {
  const { hottestFunctions } = await import("../kit/profile_file.ts");
  const functions = isCpu ? hottestFunctions(await Deno.readTextFile(path), MOST_FUNCTIONS) : [];
  if (options.json) {
    return printJson({ server, path, bytes, ...isCpu && { functions } });
  }
  printLine(`... wrote ${path} (${bytes} bytes)`);
  if (functions.length === 0) return;
  const { formatShare } = await import("../kit/quantities.ts");
  const { TablePrinter } = await import("../kit/table.ts");
  const columns = [{ heading: "time", isNumber: true }, { heading: "function" }, {
    heading: "place",
  }];
  new TablePrinter(columns).print(
    functions.map(({ share, name, place }) => [formatShare(share), name, place]),
  );
}
