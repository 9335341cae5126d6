/**
 * Library modules: the modules that shipped code imports from its server.
 *
 * The tables with which generated modules find them are on the global object: a generated module is
 * a separate file, which in a compiled executable has no other access to the modules that generated
 * it.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { describeThrown } from "../error_report.ts";
import { RELATIVE } from "./unit.ts";
import { fileStem, type UnitFiles } from "./unit_files.ts";

/** The value of `import * as namespace`. */
export type ModuleNamespace = Record<string, unknown>;

/** A module built into the program, or a function that returns it when it is first needed. */
export type OfferedModule = ModuleNamespace | (() => Promise<ModuleNamespace>);

/** The specifier with which shipped code imports its server's runtime. */
export const RUNTIME_MODULE = "@gxensemble/ensemble";

/** An export that identifies any copy of the runtime. */
const RUNTIME_EXPORT = "runServer";

const shimmed = processTable<ModuleNamespace>("libraries");

interface Shim {
  namespace: ModuleNamespace;
  written: Promise<string>;
}

/**
 * The libraries of one server: those registered by the program, and those that its own `import`
 * finds.
 */
export class LibraryTable {
  readonly #files: UnitFiles;
  readonly #registered = new Map<string, OfferedModule>();
  readonly #shims = new Map<string, Shim>();
  /** Pending imports. No module is imported twice at a time: see `LoadedModules`. */
  readonly #importing = new Map<string, Promise<ModuleNamespace>>();

  /** Creates an empty table whose shims are written to `files`. */
  constructor(files: UnitFiles) {
    this.#files = files;
  }

  /** Registers a module built into the program under `specifier`, exactly as written. */
  register(specifier: string, module: OfferedModule): void {
    this.#registered.set(specifier, module);
  }

  /** The registered specifiers, sorted. */
  registered(): string[] {
    return [...this.#registered.keys()].sort();
  }

  /**
   * Returns the library's namespace: a registered one, or what this process imports under that
   * name.
   *
   * @throws {InvalidInputError} if the specifier is relative.
   * @throws {EnsembleError} if there is no such library, it fails, or it is another runtime.
   */
  async import(specifier: string, attributes?: Record<string, string>): Promise<ModuleNamespace> {
    const registered = this.#registered.get(specifier);
    if (registered) return typeof registered === "function" ? await registered() : registered;
    const namespace = await this.#importFound(specifier, attributes);
    if (await this.#isOtherRuntime(namespace)) {
      throw new EnsembleError(
        `${specifier} is another copy of this server's runtime, and not connected to it: import ` +
          `"${RUNTIME_MODULE}", which the imports of deno.json may map to that copy`,
      );
    }
    return namespace;
  }

  /** Imports a library that is not registered. */
  async #importFound(
    specifier: string,
    attributes?: Record<string, string>,
  ): Promise<ModuleNamespace> {
    // A relative specifier would be resolved against this file.
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
      // Deno names the importing file, which is this one.
      const reason = describeThrown(error).replace(/ from "(?:file|https?):[^"]*"$/, "");
      throw new EnsembleError(
        `library module ${specifier} is neither registered in this server nor importable: ` +
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

  /** The file name of a module that re-exports the library. Throws as `import` does. */
  async shim(specifier: string): Promise<string> {
    return await this.shimOf(specifier, await this.import(specifier));
  }

  /** The file name of a module that re-exports a namespace, which is called `name`. */
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

/**
 * The tables that a generated module can access: the modules of libraries, and the import contexts
 * of units.
 */
export type TableName = "libraries" | "units";

/** The process's table of a name, by module URL. */
export function processTable<Value>(name: TableName): Map<string, Value> {
  const tables = globalThis as { [key: symbol]: Map<string, Value> | undefined };
  return tables[tableKey(name)] ??= new Map();
}

/** The expression with which a generated module reads its own entry of a table. */
export function tableExpression(name: TableName): string {
  return `globalThis[Symbol.for(${JSON.stringify(tableKey(name).description)})]` +
    `.get(import.meta.url)`;
}

function tableKey(name: TableName): symbol {
  return Symbol.for(`gxensemble.${name}`);
}
