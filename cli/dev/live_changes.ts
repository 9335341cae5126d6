/**
 * Whether a change of a program can be loaded into a server that runs it, or needs a restart.
 *
 * A load gives new handlers to the services of the modules that it replaces, and runs the top level of those
 * that export `install`. All else that runs keeps the code that it has: `main`, its timers, the values that it
 * has taken from modules. So a change can be loaded if it reaches what runs by `service` and `install` only.
 *
 * Names stand for what they are bound to: a function, a class, a variable, the top level of a module. One
 * depends on those whose names it contains. This errs on the side of a restart.
 *
 * @module
 */
import type { AnyNode, Program } from "npm:acorn@^8.19.0";
import { mayDoSomething } from "../modules/entry_point.ts";
import type { ModuleGraph } from "../modules/module_graph.ts";
import type { SourceModule } from "../modules/module_reader.ts";
import {
  boundNames,
  keyOf as propertyOf,
  nameOf,
  parseModule,
  textOf,
  walkSyntax,
} from "../modules/syntax.ts";

/** The exports that a running service takes from the newer version of its module. */
const EXCHANGED = ["service", "upgrade", "downgrade", "install"];

/** The name of what the top level of a module does. */
const TOP_LEVEL = "*top*";

/** The name of what it does only in the program that was started: `if (import.meta.main) ...`. */
const IF_MAIN = "*main*";

/** The name of a default export. */
const DEFAULT = "*default*";

/** What a name is bound to. */
interface Binding {
  /** The module. */
  readonly module: string;
  /** Its name in the module, or {@linkcode TOP_LEVEL}. */
  readonly name: string;
  /** The text that defines it. */
  readonly text: string;
  /** The names in that text. */
  readonly names: ReadonlySet<string>;
  /** Whether each instance of the module has a value of its own: a variable, an object, a class. */
  readonly isState: boolean;
}

/** The names of a module. */
interface ModuleNames {
  readonly bindings: ReadonlyMap<string, Binding>;
  /** The imported names, with their modules. */
  readonly imports: ReadonlyMap<string, Imported>;
  /** The name in the module of each export, or what it is exported from. */
  readonly exports: ReadonlyMap<string, string | Imported>;
  /** The modules whose exports it exports. */
  readonly all: readonly string[];
  /** The modules that it imports when it runs, and starts as workers. */
  readonly late: readonly string[];
}

/** A name of another module; `*` for all of them. */
interface Imported {
  readonly module: string;
  readonly name: string;
}

/** The names of all modules of a program. */
export class ProgramNames {
  /** The id of the entry module. */
  readonly entry: string;
  readonly #modules: ReadonlyMap<string, ModuleNames>;

  private constructor(entry: string, modules: ReadonlyMap<string, ModuleNames>) {
    this.entry = entry;
    this.#modules = modules;
  }

  /** Finds the names of a program. */
  static async of(graph: ModuleGraph): Promise<ProgramNames> {
    const [entry] = graph.keys();
    const modules = new Map<string, ModuleNames>();
    for (const [id, source] of graph) modules.set(id, await namesOf(source));
    return new ProgramNames(entry!, modules);
  }

  /** The ids of the modules. */
  get modules(): Iterable<string> {
    return this.#modules.keys();
  }

  /** All bindings. */
  *bindings(): Generator<Binding> {
    for (const { bindings } of this.#modules.values()) yield* bindings.values();
  }

  /** The binding of an export; undefined if there is none, or the module is not part of the program. */
  exported({ module, name }: Imported, seen = new Set<string>()): Binding | undefined {
    const key = `${module}\0${name}`;
    const names = this.#modules.get(module);
    if (!names || seen.has(key)) return undefined;
    seen.add(key);
    const found = names.exports.get(name);
    if (typeof found === "object") return this.exported(found, seen);
    if (found !== undefined) return this.#named(names, found, seen);
    for (const other of names.all) {
      const below = this.exported({ module: other, name }, seen);
      if (below) return below;
    }
  }

  #named(names: ModuleNames, name: string, seen: Set<string>): Binding | undefined {
    const imported = names.imports.get(name);
    return imported ? this.exported(imported, seen) : names.bindings.get(name);
  }

  /** Whether a module has a binding. */
  has(module: string, name: string): boolean {
    return this.#modules.get(module)?.bindings.has(name) ?? false;
  }

  /** Whether a module exports a name itself. */
  exports(module: string, name: string): boolean {
    return this.#modules.get(module)?.exports.has(name) ?? false;
  }

  /** The bindings that one depends on. */
  *below({ module, names }: Binding): Generator<Binding> {
    const own = this.#modules.get(module)!;
    for (const name of names) {
      const binding = own.bindings.get(name);
      if (binding) yield binding;
      const imported = own.imports.get(name);
      if (!imported) continue;
      if (imported.name === "*") yield* this.#everything(imported.module);
      else {
        const found = this.exported(imported);
        if (found) yield found;
      }
    }
    // Which of them the text uses is not looked at.
    for (const each of own.late) yield* this.#everything(each);
  }

  #everything(module: string): Iterable<Binding> {
    return this.#modules.get(module)?.bindings.values() ?? [];
  }
}

/** What to do about a change. */
export type ChangePlan =
  | { readonly kind: "load"; readonly modules: readonly string[] }
  | { readonly kind: "restart"; readonly reason: string };

/**
 * Decides what to do.
 *
 * @param before the program as it was when the server started.
 * @param after the program as it is now.
 * @param options.replaced the ids of the modules whose running version differs.
 * @param options.isProgram whether the entry's top level is the program, rather than its `main`.
 */
export function planChange(
  before: ProgramNames,
  after: ProgramNames,
  { replaced, isProgram }: { replaced: ReadonlySet<string>; isProgram: boolean },
): ChangePlan {
  const restart = (reason: string): ChangePlan => ({ kind: "restart", reason });
  const isExchanged = (binding: Binding) => isExchangedIn(after, binding);
  const changed = changedBindings(before, after);
  const affected = affectedBy(changed, after, isExchanged);
  const describe = (binding: Binding) =>
    `${nameFor(binding)} ${changed.has(binding) ? "has changed" : "uses what has changed"}`;
  const main = after.exported({ module: after.entry, name: "main" });
  if (main && affected.has(main)) return restart(describe(main));
  const boundaries = new Set<string>();
  for (const binding of affected) {
    if (isExchanged(binding) && !(isProgram && binding.module === after.entry)) {
      boundaries.add(binding.module);
    } else if (binding.name === TOP_LEVEL || binding.name === IF_MAIN && isProgram) {
      return restart(describe(binding));
    }
  }
  for (const { module, name } of before.bindings()) {
    if (name === TOP_LEVEL && !after.has(module, name)) {
      return restart(`${module} has no top level any more`);
    }
  }
  if (boundaries.size === 0) return restart("nothing that runs would get the change by a load");
  const reloaded = new Set(
    [...withImports(boundaries, after)].filter((module) => replaced.has(module)),
  );
  for (const binding of after.bindings()) {
    if (binding.name !== TOP_LEVEL || !reloaded.has(binding.module)) continue;
    if (!after.exports(binding.module, "install")) {
      return restart(`a load would run the top level of ${binding.module} again`);
    }
  }
  for (const binding of running(after, { main, isProgram, isExchanged })) {
    if (reloaded.has(binding.module) && binding.isState && !isExchanged(binding)) {
      return restart(`main would keep the earlier ${binding.name} of ${binding.module}`);
    }
  }
  return { kind: "load", modules: [...boundaries] };
}

/** Whether what runs takes a binding from the newer version of its module. */
function isExchangedIn(program: ProgramNames, { module, name }: Binding): boolean {
  if (name === TOP_LEVEL) return program.exports(module, "install");
  return EXCHANGED.some((each) =>
    program.exports(module, each) && program.exported({ module, name: each })?.name === name
  );
}

function changedBindings(before: ProgramNames, after: ProgramNames): Set<Binding> {
  // With what its names lead to: the text of another module may have changed that.
  const definition = (program: ProgramNames, binding: Binding) =>
    [binding.text, ...new Set(Array.from(program.below(binding), keyOf))].join("\0");
  const known = new Map(
    Array.from(before.bindings(), (binding) => [keyOf(binding), definition(before, binding)]),
  );
  const changed = new Set<Binding>();
  for (const binding of after.bindings()) {
    if (known.get(keyOf(binding)) !== definition(after, binding)) changed.add(binding);
  }
  return changed;
}

function keyOf({ module, name }: Binding): string {
  return `${module}\0${name}`;
}

/** The changed bindings, and those that depend on them other than through what is exchanged. */
function affectedBy(
  changed: ReadonlySet<Binding>,
  program: ProgramNames,
  isExchanged: (binding: Binding) => boolean,
): Set<Binding> {
  const above = new Map<Binding, Binding[]>();
  for (const binding of program.bindings()) {
    for (const each of program.below(binding)) {
      const users = above.get(each);
      if (users) users.push(binding);
      else above.set(each, [binding]);
    }
  }
  const affected = new Set(changed);
  // A set's iteration includes elements that are added during it.
  for (const binding of affected) {
    // The top level that registers it again is affected; what else uses it is not.
    const users = above.get(binding) ?? [];
    for (const user of users) {
      if (!isExchanged(binding) || user.module === binding.module && isExchanged(user)) {
        affected.add(user);
      }
    }
  }
  return affected;
}

/** What runs in the server, and all that it uses other than through what is exchanged. */
function running(
  program: ProgramNames,
  { main, isProgram, isExchanged }: {
    main: Binding | undefined;
    isProgram: boolean;
    isExchanged: (binding: Binding) => boolean;
  },
): Set<Binding> {
  const found = new Set<Binding>(main ? [main] : []);
  for (const binding of program.bindings()) {
    const isStarted = isProgram && binding.module === program.entry;
    if (binding.name === IF_MAIN && isStarted) found.add(binding);
    if (binding.name === TOP_LEVEL && (isStarted || !isExchanged(binding))) found.add(binding);
  }
  for (const binding of found) {
    if (isExchanged(binding) && binding.name !== TOP_LEVEL) continue;
    for (const below of program.below(binding)) found.add(below);
  }
  return found;
}

/** Modules, and those that they import. */
function withImports(modules: Iterable<string>, program: ProgramNames): Set<string> {
  const all = new Set(modules);
  const importing = Map.groupBy(program.bindings(), ({ module }) => module);
  for (const module of all) {
    for (const binding of importing.get(module) ?? []) {
      for (const below of program.below(binding)) all.add(below.module);
    }
  }
  return all;
}

function nameFor({ module, name }: Binding): string {
  return `${name === TOP_LEVEL || name === IF_MAIN ? "the top level" : name} of ${module}`;
}

async function namesOf(source: SourceModule): Promise<ModuleNames> {
  const { program } = await parseModule(source.text, source.path);
  const targets = new Map<number, string>();
  for (const { target, start, keyword } of source.imports) {
    if (target.kind === "local" && keyword === undefined) targets.set(start, target.module);
  }
  const late = [
    ...source.imports.flatMap(({ target, keyword }) =>
      target.kind === "local" && keyword !== undefined ? [target.module] : []
    ),
    ...source.candidates.map(({ target }) => target.module),
  ];
  const collector = new NameCollector(source, targets);
  if (program) collector.collect(program);
  else collector.add(TOP_LEVEL, { text: source.text, names: new Set(), isState: false });
  return { ...collector, late };
}

/** Collects the names of one module. */
class NameCollector implements Omit<ModuleNames, "late"> {
  readonly bindings = new Map<string, Binding>();
  readonly imports = new Map<string, Imported>();
  readonly exports = new Map<string, string | Imported>();
  readonly all: string[] = [];
  readonly #source: SourceModule;
  readonly #targets: ReadonlyMap<number, string>;

  constructor(source: SourceModule, targets: ReadonlyMap<number, string>) {
    this.#source = source;
    this.#targets = targets;
  }

  /** Adds a binding, or more text to that of a name. */
  add(name: string, { text, names, isState }: Pick<Binding, "text" | "names" | "isState">): void {
    const before = this.bindings.get(name);
    this.bindings.set(name, {
      module: this.#source.module,
      name,
      text: before ? `${before.text}\n${text}` : text,
      names: before ? before.names.union(names) : names,
      isState: isState || (before?.isState ?? false),
    });
  }

  collect(program: Program): void {
    for (const statement of program.body) this.#collectStatement(statement as AnyNode);
  }

  #collectStatement(node: AnyNode): void {
    switch (node.type) {
      case "ImportDeclaration": {
        const module = this.#targets.get(node.source.start);
        for (const each of node.specifiers) {
          const name = each.type === "ImportSpecifier"
            ? written(each.imported)
            : each.type === "ImportDefaultSpecifier"
            ? "default"
            : "*";
          if (module !== undefined) this.imports.set(each.local.name, { module, name });
          // Which library it is, is part of what depends on it.
          else this.#bind(each.local.name, node, false);
        }
        return;
      }
      case "ExportAllDeclaration": {
        const module = this.#targets.get(node.source.start);
        if (module === undefined) return;
        if (node.exported) this.exports.set(written(node.exported), { module, name: "*" });
        else this.all.push(module);
        return;
      }
      case "ExportNamedDeclaration": {
        const module = node.source ? this.#targets.get(node.source.start) : undefined;
        for (const { local, exported } of node.specifiers) {
          const name = written(local);
          if (module !== undefined) this.exports.set(written(exported), { module, name });
          else if (!node.source) this.exports.set(written(exported), name);
        }
        const { declaration } = node;
        if (!declaration) return;
        for (const name of declaredNames(declaration as AnyNode)) this.exports.set(name, name);
        return this.#collectStatement(declaration as AnyNode);
      }
      case "ExportDefaultDeclaration": {
        const declaration = node.declaration as AnyNode;
        const [name = DEFAULT] = declaredNames(declaration);
        this.exports.set("default", name);
        const isFunction = declaration.type === "FunctionDeclaration";
        this.#bind(name, node, !isFunction);
        return;
      }
      default: {
        const names = declaredNames(node);
        for (const name of names) this.#bind(name, node, isState(node));
        if (isGuardOfMain(node)) return this.#bind(IF_MAIN, node, false);
        if (names.length === 0 || mayDoSomething(node as Program["body"][number])) {
          this.#bind(TOP_LEVEL, node, false);
        }
      }
    }
  }

  #bind(name: string, node: AnyNode, isState: boolean): void {
    const names = new Set<string>();
    walkSyntax(node, (each) => {
      if (each.type === "Identifier" && each.name !== name) names.add(each.name);
    });
    this.add(name, { text: this.#source.text.slice(node.start, node.end), names, isState });
  }
}

/** Whether a statement runs only in the module that was started: `if (import.meta.main) ...`. */
function isGuardOfMain(node: AnyNode): boolean {
  if (node.type !== "IfStatement") return false;
  const test = node.test as AnyNode;
  return test.type === "MemberExpression" && test.object.type === "MetaProperty" &&
    propertyOf(test) === "main";
}

/** The name in an import or export, which may be a string. */
function written(node: Parameters<typeof nameOf>[0]): string {
  return nameOf(node) ?? textOf(node) ?? "";
}

function declaredNames(node: AnyNode): string[] {
  switch (node.type) {
    case "FunctionDeclaration":
    case "ClassDeclaration":
      return node.id ? [node.id.name] : [];
    case "VariableDeclaration":
      return node.declarations.flatMap(({ id }) => boundNames(id));
    default:
      return [];
  }
}

/** Whether each instance of a module has its own value of what a statement declares. */
function isState(node: AnyNode): boolean {
  if (node.type === "FunctionDeclaration") return false;
  if (node.type !== "VariableDeclaration" || node.kind !== "const") return true;
  return !node.declarations.every(({ init }) => init && isPlainValue(init as AnyNode));
}

/** Whether two evaluations of an expression are as good as one. */
function isPlainValue(node: AnyNode): boolean {
  switch (node.type) {
    case "Literal":
    case "ArrowFunctionExpression":
    case "FunctionExpression":
      return true;
    case "UnaryExpression":
      return isPlainValue(node.argument as AnyNode);
    case "BinaryExpression":
      return isPlainValue(node.left as AnyNode) && isPlainValue(node.right as AnyNode);
    case "TemplateLiteral":
      return node.expressions.every((each) => isPlainValue(each as AnyNode));
    case "ParenthesizedExpression":
      return isPlainValue(node.expression as AnyNode);
    default:
      return false;
  }
}
