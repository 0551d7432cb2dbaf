import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Files of one workspace that share a process: starting one takes as long as most of them do. */
const filesTogether = 8
/** These start hosts of their own, and are told apart by how long they take. */
const alone = /^(?:scenarios|examples)\//

/**
 * What is run as one process each, in the order given: a file alone, or, written to `directory`, a module that loads several of one
 * workspace. Paths are relative to `root`; answers absolute ones.
 */
export function groupTests(files: readonly string[], root: string, directory: string): readonly string[] {
  const workspaces = Map.groupBy(files, (file) => (alone.test(file) ? file : workspaceOf(file)))
  return [...workspaces].flatMap(([workspace, members]) => {
    return chunked(members).map((together, at) => {
      const [first = ''] = together
      if (together.length === 1) return join(root, first)
      const group = join(directory, `${workspace.replaceAll('/', '-')}-${at + 1}.mjs`)
      writeFileSync(group, together.map((file) => `import ${JSON.stringify(pathToFileURL(join(root, file)).href)}\n`).join(''))
      return group
    })
  })
}

/** `apps/hypersdk/host` of `apps/hypersdk/host/src/x.test.ts`. */
function workspaceOf(file: string): string {
  const [workspace = file] = file.split('/src/')
  return workspace === file ? (file.split('/')[0] ?? file) : workspace
}

function chunked(files: readonly string[]): readonly (readonly string[])[] {
  const groups = Math.ceil(files.length / filesTogether)
  const size = Math.ceil(files.length / groups)
  return Array.from({ length: groups }, (_, at) => files.slice(at * size, (at + 1) * size))
}
