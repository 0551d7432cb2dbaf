/** What a plugin does when its turn has come. */
export type Behaviour = 'throws' | 'exits' | 'hangs' | 'answers junk' | 'vetoes' | 'eats memory'

const doing: Readonly<Record<Behaviour, string>> = {
  throws: `throw new Error('it went wrong')`,
  exits: `process.exit(3)`,
  hangs: `return new Promise(() => setInterval(() => undefined, 1_000))`,
  'answers junk': `return { junk: true, veto: 7, name: null }`,
  vetoes: `return { veto: 'not today' }`,
  'eats memory': `const eaten = []; for (;;) { eaten.push(Buffer.alloc(4 * 1024 * 1024, eaten.length)); await new Promise(setImmediate) }`,
}

/** What may be said of a plugin beside what it does. */
export interface HostileOptions {
  readonly criticality?: 'optional' | 'fail-closed'
  /** Behaves for the first so many times. */
  readonly politeFor?: number
}

/** The files of a plugin `local/<name>` that handles one hook, `pre-vfio-bind`, and is hostile in it. */
export function hostilePlugin(
  name: string,
  hook: string,
  behaviour: Behaviour,
  { criticality = 'optional', politeFor = 0 }: HostileOptions = {},
): Readonly<Record<string, string>> {
  const manifest = {
    schemaVersion: 1,
    id: `local/${name}`,
    version: '1.0.0',
    description: `It ${behaviour} in ${hook}`,
    main: 'index.js',
    requires: { api: '^1.0.0' },
    criticality,
    contributes: { [`exliar.${hook}`]: { hostile: {} } },
    permissions: ['pci:read', 'vm:read', 'vm:edit'],
    limits: { memory: '96MiB' },
  }
  const module = `import { definePlugin } from '@backplane/sdk'
import { allPoints } from '@exliar-vfio/points'
let turns = 0
export default definePlugin((scope) => {
  scope.on(allPoints.find(({ id }) => id === 'exliar.${hook}'), 'hostile', async () => {
    if (turns++ < ${politeFor}) return undefined
    ${doing[behaviour]}
  })
})
`
  return { 'plugin.json': JSON.stringify(manifest), 'index.js': module }
}
