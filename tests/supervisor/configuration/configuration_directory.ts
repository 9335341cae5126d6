/**
 * A directory for a configuration, with the files that it names.
 *
 * @module
 */
import { parseConfiguration } from "../../../supervisor/configuration/configuration_reading.ts";
import type { ConfigurationReading } from "../../../supervisor/configuration/configuration.ts";

/** The files, with their modes. */
const FILES: readonly (readonly [name: string, text: string, mode: number])[] = [
  ["svc.ts", "export function main() {}\n", 0o644],
  ["tool", "#!/bin/sh\nexec sleep 60\n", 0o755],
  ["data.txt", "no variables\n", 0o644],
  ["open.txt", "known to all\n", 0o644],
  ["secret.txt", "s3cret\n", 0o600],
  ["vars", "# of all servers\nREGION=eu\nexport QUOTED='a b'\n\nEMPTY=\n", 0o644],
];

/** Such a directory. It is removed when it is disposed of. */
export class ConfigurationDirectory implements Disposable {
  /** Its path. */
  readonly path = Deno.makeTempDirSync({ prefix: "configuration-" });

  constructor() {
    for (const [name, text, mode] of FILES) {
      Deno.writeTextFileSync(`${this.path}/${name}`, text);
      Deno.chmodSync(`${this.path}/${name}`, mode);
    }
  }

  /** The path of the configuration. */
  get file(): string {
    return `${this.path}/ensemble.jsonc`;
  }

  /** Reads a configuration as if it were in the file, on host1. */
  read(
    text: string | object,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ConfigurationReading> {
    return parseConfiguration(typeof text === "string" ? text : JSON.stringify(text), {
      path: this.file,
      host: "host1",
      environment,
      directory: this.path,
    });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
