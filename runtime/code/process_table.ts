/**
 * Tables by which generated modules reach what this process made for them.
 *
 * They hang on the global object because a generated module is a file of its own, which in a compiled
 * executable has no other way to the instances of the modules that generated it.
 *
 * @module
 */

/** What a generated module can find: the modules of libraries, and the surroundings of units. */
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
