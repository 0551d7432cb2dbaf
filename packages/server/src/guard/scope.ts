/**
 * What a token allows; each includes those before it. `read`: look. `operate`: run what is installed (enable, disable,
 * choose among its versions, submit jobs). `install`: decide what is installed. `admin`: what shows secrets, tokens, and what
 * only a person may decide.
 */
export type Scope = 'read' | 'operate' | 'install' | 'admin'

/** All of them, each including those before it. */
export const scopes = ['read', 'operate', 'install', 'admin'] as const satisfies readonly Scope[]

/** Whether a token with `have` may do what needs `need`. */
export function includesScope(have: Scope, need: Scope): boolean {
  return scopes.indexOf(have) >= scopes.indexOf(need)
}
