/**
 * The first configuration of a host, and its schema for editors.
 *
 * @module
 */
import { dirname } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { fileBehind, writeWhole } from "../../runtime/home/files.ts";
import { SCHEMA_FILE, schemaText } from "./schema.ts";

/** A configuration that starts the registry, with examples of the rest as comments. */
export const FIRST_CONFIGURATION =
  `// What the supervisor of this host runs. The file may be the same on all hosts.
// After a change: gxensemble config check
{
  "$schema": "./${SCHEMA_FILE}",

  // Run the registry, with the options of gxensemble registry.
  "registry": true,

  // What a server of each role is: a module or an executable, its options, when it is restarted.
  "roles": {
    // "shop": { "module": "/srv/shop/svc.ts", "restart": "permanent" }
  },

  // The servers, by id. Each may override the fields of its role.
  "servers": {
    // "shop1": { "role": "shop", "args": ["8080"] }
  },

  // Numbered servers: worker-0, worker-1 and so on.
  "workers": [
    // { "role": "worker", "prefix": "worker", "count": 4 }
  ]
}
`;

/**
 * Writes the first configuration to a file, and the schema beside it.
 *
 * @param options.force whether to replace a configuration that exists.
 * @returns the path of the schema.
 * @throws {EnsembleError} if there is a configuration already, or a file cannot be written.
 */
export async function writeFirstConfiguration(
  path: string,
  { force }: { readonly force: boolean },
): Promise<string> {
  await makeDirectoryOf(path);
  const target = await fileBehind(path);
  try {
    // It may name secrets, and contain variables.
    await writeWhole(target, FIRST_CONFIGURATION, { mode: 0o600, replace: force });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new EnsembleError(
      `there is a configuration already: ${path}; -f replaces it, and --schema writes only the ` +
        "schema for editors",
    );
  }
  return await writeSchema(path);
}

/**
 * Writes the schema beside a configuration, and returns its path.
 *
 * @throws {EnsembleError} if it cannot be written.
 */
export async function writeSchema(path: string): Promise<string> {
  await makeDirectoryOf(path);
  const schema = `${dirname(path)}/${SCHEMA_FILE}`;
  await writeWhole(schema, schemaText(), { mode: 0o644, replace: true });
  return schema;
}

async function makeDirectoryOf(path: string): Promise<void> {
  try {
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EnsembleError(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}
