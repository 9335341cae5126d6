/**
 * Library modules: the modules that shipped code imports from the server it runs in.
 *
 * The tables by which generated modules reach them hang on the global object: a generated module is a file of its own,
 * which in a compiled executable has no other way to the modules that generated it.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { describeThrown } from "../error_report.ts";
import { RELATIVE } from "./unit.ts";
import { fileStem, type UnitFiles } from "./unit_files.ts";

/** What `import * as namespace` gives. */
export type ModuleNamespace = Record<string, unknown>;

/** A module that the program was built with, or how to get it when it is first needed. */
export type OfferedModule = ModuleNamespace | (() => Promise<ModuleNamespace>);

/** What shipped code imports the runtime of its server as. */
export const RUNTIME_MODULE = "@gxensemble/ensemble";

/** The export by which any copy of the runtime is known. */
const RUNTIME_EXPORT = "runServer";

const shimmed = processTable<ModuleNamespace>("libraries");

interface Shim {
  namespace: ModuleNamespace;
  written: Promise<string>;
}

/** The libraries of one server: those registered by the program, and what its own `import` finds. */
export class LibraryTable {
  readonly #files: UnitFiles;
  readonly #registered = new Map<string, OfferedModule>();
  readonly #shims = new Map<string, Shim>();
  /** Imports under way. No module is imported twice at a time: see `LoadedModules`. */
  readonly #importing = new Map<string, Promise<ModuleNamespace>>();

  /** An empty table whose shims are written among `files`. */
  constructor(files: UnitFiles) {
    this.#files = files;
  }

  /** Offers a module that the program was built with under `specifier`, exactly as written. */
  register(specifier: string, module: OfferedModule): void {
    this.#registered.set(specifier, module);
  }

  /** The specifiers of the registered ones, sorted. */
  registered(): string[] {
    return [...this.#registered.keys()].sort();
  }

  /**
   * The library's namespace: the registered one, or what this process imports under that name.
   *
   * @throws {InvalidInputError} when the specifier is relative.
   * @throws {EnsembleError} when there is no such library, it fails, or it is another runtime.
   */
  async import(specifier: string, attributes?: Record<string, string>): Promise<ModuleNamespace> {
    const registered = this.#registered.get(specifier);
    if (registered) return typeof registered === "function" ? await registered() : registered;
    const namespace = await this.#importFound(specifier, attributes);
    if (await this.#isOtherRuntime(namespace)) {
      throw new EnsembleError(
        `${specifier} is another copy of the runtime of this server, and knows nothing of it: import ` +
          `"${RUNTIME_MODULE}", which the imports of deno.json may map to that copy`,
      );
    }
    return namespace;
  }

  /** What this process imports under a name. */
  async #importFound(
    specifier: string,
    attributes?: Record<string, string>,
  ): Promise<ModuleNamespace> {
    // A relative specifier would be resolved against this very file.
    if (RELATIVE.test(specifier)) {
      throw new InvalidInputError(`not the name of a library module: ${specifier}`);
    }
    const key = JSON.stringify([specifier, attributes]);
    let importing = this.#importing.get(key);
    if (importing === undefined) {
      importing = import(specifier, attributes && { with: attributes });
      this.#importing.set(key, importing);
    }
    try {
      return await importing;
    } catch (error) {
      // Deno names the file that asked, which is this one.
      const reason = describeThrown(error).replace(/ from "(?:file|https?):[^"]*"$/, "");
      throw new EnsembleError(
        `library module ${specifier} is not registered in this server, nor can it be imported: ` +
          reason,
        { cause: error },
      );
    } finally {
      this.#importing.delete(key);
    }
  }

  async #isOtherRuntime(namespace: ModuleNamespace): Promise<boolean> {
    if (!(RUNTIME_EXPORT in namespace) || !this.#registered.has(RUNTIME_MODULE)) return false;
    const own = await this.import(RUNTIME_MODULE);
    return namespace[RUNTIME_EXPORT] !== own[RUNTIME_EXPORT];
  }

  /** The file name of a module that exports what the library exports. Throws as `import` does. */
  async shim(specifier: string): Promise<string> {
    return await this.shimOf(specifier, await this.import(specifier));
  }

  /** The file name of a module that exports what a namespace does, which is called `name`. */
  async shimOf(name: string, namespace: ModuleNamespace): Promise<string> {
    let shim = this.#shims.get(name);
    if (shim?.namespace !== namespace) {
      shim = { namespace, written: this.#write(name, namespace) };
      this.#shims.set(name, shim);
    }
    return await shim.written;
  }

  async #write(specifier: string, namespace: ModuleNamespace): Promise<string> {
    const file = this.#files.reserve(`library-${fileStem(specifier)}`, specifier);
    shimmed.set(this.#files.url(file), namespace);
    const names = Object.keys(namespace).map((name) => JSON.stringify(name));
    await this.#files.write(
      file,
      [
        `const library = ${tableExpression("libraries")};`,
        ...names.map((name, index) => `const export${index} = library[${name}];`),
        `export { ${names.map((name, index) => `export${index} as ${name}`).join(", ")} };`,
        "",
      ].join("\n"),
    );
    return file;
  }
}

/** What a generated module can find: the modules of libraries, and the import contexts of units. */
export type TableName = "libraries" | "units";

/** The process's table of that name, by the URLs of the modules that it is for. */
export function processTable<Value>(name: TableName): Map<string, Value> {
  const tables = globalThis as { [key: symbol]: Map<string, Value> | undefined };
  return tables[tableKey(name)] ??= new Map();
}

/** The expression by which a generated module gets its own value of a table. */
export function tableExpression(name: TableName): string {
  return `globalThis[Symbol.for(${JSON.stringify(tableKey(name).description)})]` +
    `.get(import.meta.url)`;
}

function tableKey(name: TableName): symbol {
  return Symbol.for(`gxensemble.${name}`);
}
