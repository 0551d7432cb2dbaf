import fs from 'node:fs'
import { join } from 'node:path'

/** What uses up something, and stays. */
export const memory = {
  redos: () => /^(a+)+$/.test(`${'a'.repeat(40)}!`),
  /** Opens files and keeps them open. */
  keepOpen: ({ count }, scope) => {
    globalThis.kept = []
    const path = join(scope.directories.code, 'index.js')
    try {
      for (let at = 0; at < count; at++) globalThis.kept.push(fs.openSync(path, 'r'))
      return globalThis.kept.length
    } catch (error) {
      return { opened: globalThis.kept.length, code: error.code }
    }
  },
  closeAll: () => {
    for (const file of globalThis.kept ?? []) fs.closeSync(file)
  },
  /** Burns a processor after its call is over. */
  burnInBackground: ({ forMs }) => {
    setTimeout(() => {
      const until = performance.now() + forMs
      while (performance.now() < until);
    }, 10)
    return 'began'
  },
  /** Fills its data directory with files of a mebibyte. */
  fillData: ({ megabytes }, scope) => {
    const block = Buffer.alloc(1024 ** 2, 1)
    for (let at = 0; at < megabytes; at++) fs.writeFileSync(join(scope.directories.data, `block-${at}`), block)
    return megabytes
  },
  makeFiles: ({ count }, scope) => {
    for (let at = 0; at < count; at++) fs.writeFileSync(join(scope.directories.data, `file-${at}`), '')
    return count
  },
  /** Moves one directory of many levels into the innermost of another. */
  nest: (_, scope) => {
    const levels = Array.from({ length: 15 }, () => 'd'.repeat(200)).join('/')
    const [one, other] = ['one', 'other'].map((name) => join(scope.directories.data, name))
    for (const at of [one, other]) fs.mkdirSync(join(at, levels), { recursive: true })
    fs.renameSync(one, join(other, levels, 'moved'))
    return 'nested'
  },
  setIdFile: (_, scope) => {
    const path = join(scope.directories.data, 'set-id')
    fs.writeFileSync(path, '#!/bin/sh\n')
    fs.chmodSync(path, 0o4755)
    return (fs.statSync(path).mode & 0o6000) !== 0
  },
  planted: ({ target }, scope) => {
    fs.symlinkSync(target, join(scope.directories.data, 'planted'))
    return 'planted'
  },
}
