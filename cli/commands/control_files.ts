/**
 * The commands of `gxensemble control` for files on hosts: `upload`, `list-uploads` and
 * `restore-upload`.
 *
 * @module
 */
import { basename } from "node:path";
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { InvalidInputError } from "../../runtime/errors.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { readOperand } from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";
import { controlCommand } from "../supervisor/control_options.ts";

/** The capability for files. */
const FILESYSTEM = "filesystem";

/** The kinds of files, and the modes that they get. */
const MODES = { executable: 0o755, file: 0o644, environment: 0o600 } as const;

const KINDS = ["executable", "file", "environment"] as const;

const kindOption = () =>
  new Option("--kind <kind>", "what it is, which has a directory of its own").choices(KINDS)
    .default("executable" as const);

/** Stores a file on hosts. */
export function uploadCommand(): CommandUnknownOpts {
  return controlCommand("upload", "store an executable or another file on a host")
    .addOption(kindOption())
    .addOption(
      completing(
        "nothing",
        new Option("--mode <mode>", "its mode in octal digits")
          .default<number | undefined>(undefined, "755, 644 for a file, 600 for an environment")
          .argParser<number | undefined>(reading(parseMode)),
      ),
    )
    .addArgument(completing("files", new Argument("<file>", "the file")))
    .addArgument(
      completing("nothing", new Argument("[name]", "its name there; by default that of the file")),
    )
    .addHelpText(
      "after",
      examples(
        [
          "replace an executable on all hosts; its servers run it when they are restarted",
          "gxensemble control upload --all dist/shop shop",
        ],
        [
          "store a file of variables",
          "gxensemble control upload --host web1 --kind environment shop.env",
        ],
      ),
    )
    .action(async (path, given, { kind, mode = MODES[kind], ...options }, command) => {
      const name = given ?? basename(path);
      const { isUploadName, UPLOAD_NAME_FORM } = await import(
        "../../supervisor/uploads_protocol.ts"
      );
      readOperand(() => {
        if (!isUploadName(name)) {
          throw new InvalidInputError(`not ${UPLOAD_NAME_FORM}: ${quoted(name)}`);
        }
      }, command);
      const { onSupervisors } = await import("../supervisor/control_work.ts");
      const { SentFile, sendFile } = await import("../supervisor/file_upload.ts");
      const { UploadProgress } = await import("../supervisor/upload_progress.ts");
      const { formatBytes } = await import("../kit/quantities.ts");
      const { onEndingSignal } = await import("../../runtime/home/signals.ts");
      using file = await SentFile.open(path);
      using progress = new UploadProgress(file.size);
      using _interrupt = onEndingSignal(() => {
        printNotice("... interrupted: the same command goes on where this one ends");
      });
      await onSupervisors(options, {
        capability: FILESYSTEM,
        showsProgress: true,
        async work(supervisor, context) {
          const onProgress = (done: number) => progress.show(supervisor, done);
          const stored = await sendFile(context, file, {
            supervisor,
            kind,
            name,
            mode,
            onProgress,
          });
          return { supervisor, ...stored };
        },
        print({ supervisor, path, sent, size }) {
          const how = sent === 0 && size > 0
            ? "it was there already"
            : `sent ${formatBytes(sent)}${sent < size ? ` of ${formatBytes(size)}` : ""}`;
          printLine(`... ${supervisor} has ${path}; ${how}`);
        },
        toJson: ({ supervisor: _, at, ...stored }) => ({
          ...stored,
          at: new Date(at).toISOString(),
        }),
      });
    });
}

function parseMode(text: string): number {
  const mode = /^[0-7]{3,4}$/.test(text) ? Number.parseInt(text, 8) : NaN;
  if (mode <= 0o777) return mode;
  throw new InvalidInputError(`not a mode such as 755: ${quoted(text)}`);
}

/** Prints the files that were stored. */
export function listUploadsCommand(): CommandUnknownOpts {
  return controlCommand("list-uploads", "list the files that were uploaded to a host")
    .addHelpText(
      "after",
      examples(["see what is on all hosts", "gxensemble control list-uploads --all"]),
    )
    .action(async (options) => {
      const { onSupervisors } = await import("../supervisor/control_work.ts");
      const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
      const { TablePrinter } = await import("../kit/table.ts");
      const { formatTime } = await import("../kit/quantities.ts");
      const table = new TablePrinter([
        { heading: "supervisor" },
        { heading: "kind" },
        { heading: "name" },
        { heading: "mode", isNumber: true },
        { heading: "size", isNumber: true },
        { heading: "stored" },
        { heading: "previous" },
      ]);
      await onSupervisors(options, {
        capability: FILESYSTEM,
        async work(supervisor, { actors }) {
          return { supervisor, files: await supervisorClient(actors, supervisor).listUploads() };
        },
        print: ({ supervisor, files }) =>
          table.print(files.map(({ kind, name, mode, size, at, hasPrevious }) => [
            supervisor,
            kind,
            name,
            mode.toString(8),
            `${size}`,
            formatTime(at),
            hasPrevious ? "kept" : "",
          ])),
        toJson: ({ files }) =>
          files.map(({ at, ...file }) => ({ ...file, at: new Date(at).toISOString() })),
      });
    });
}

/** Brings the previous version of a file back. */
export function restoreUploadCommand(): CommandUnknownOpts {
  return controlCommand("restore-upload", "exchange an uploaded file and its previous version")
    .addOption(kindOption())
    .addArgument(completing("nothing", new Argument("<name>", "its name")))
    .addHelpText(
      "after",
      examples([
        "go back to the previous executable on all hosts",
        "gxensemble control restore-upload --all shop",
      ]),
    )
    .action(async (name, { kind, ...options }) => {
      const { onSupervisors } = await import("../supervisor/control_work.ts");
      const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
      await onSupervisors(options, {
        capability: FILESYSTEM,
        work: (supervisor, { actors }) =>
          supervisorClient(actors, supervisor).restoreUpload({ kind, name }),
        print: ({ path }, label) => printLine(`${label}... ${path} is the previous version`),
        toJson: ({ at, ...file }) => ({ ...file, at: new Date(at).toISOString() }),
      });
    });
}
