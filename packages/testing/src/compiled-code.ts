const directory = process.env['NODE_COMPILE_CACHE']

/**
 * The variable that lets a process which a test starts read code that others compiled already, for its environment; empty
 * where there is none. Loading the sources of a host takes half the time with it. A process that is killed adds nothing.
 * Source: Node's `NODE_COMPILE_CACHE`.
 */
export const compiledCode: Readonly<Record<string, string>> = directory === undefined ? {} : { NODE_COMPILE_CACHE: directory }
