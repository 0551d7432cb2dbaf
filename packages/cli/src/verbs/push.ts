import type { Command } from 'commander'
import type { PushOptions } from '../offline/push-to-registry.ts'
import type { Runner } from '../session.ts'
import { examples } from './examples.ts'

/** Adds `push`. */
export function addPush(program: Command, run: Runner): void {
  const push = program
    .command('push <package> <reference>')
    .description(
      'publish the package in a folder or a .tgz to an OCI registry, with its signatures; under the tag of its version',
    )
    .option('--policy <file>', 'the trust policy that has to take it (default: one that only asks for no signature)')
    .option('--platform <platform>', 'what it is for, such as linux-x64', 'any')
    .option('--with <platform=package>', 'the same version for another platform; may be repeated', collect, [])
    .option(
      '--username <name>',
      'who publishes; the password is asked for, or read from --password-file or BACKPLANE_REGISTRY_PASSWORD',
    )
    .option('--password-file <file>', 'file with the password')
    .option('--bearer-file <file>', 'file with a token instead (BACKPLANE_REGISTRY_TOKEN)')
    .option('--registry-url <url>', 'address of the registry, where that is not https:// and its name')
    .option('--tokens-from <host>', 'another host that gives tokens for it; may be repeated', collect, [])
    .option('--allow-http', 'send it without encryption to another machine')
  examples(
    push,
    [
      'push ./s3 oci://registry.example.org/acme/s3 --username ci',
      'push s3-1.2.0.tgz oci://registry.example.org/acme/s3:stable --policy trust.json',
      'push s3-x64.tgz oci://registry.example.org/acme/s3 --platform linux-x64 --with linux-arm64=s3-arm64.tgz --json',
    ],
    'The same again changes nothing but adds signatures; something else under a version that is there is refused. What `verify` finds\nwrong with the manifest or the code is refused before anything is sent.',
  )
  push.action(
    run(async (session, path: string, reference: string, options: PushOptions) =>
      (await import('../offline/push-to-registry.ts')).pushToRegistry(session, path, reference, options),
    ),
  )
}

function collect(one: string, all: readonly string[]): readonly string[] {
  return [...all, one]
}
