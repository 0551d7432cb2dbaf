/** Where another program would name a request or a setting: the verb or option that helps. */
const hints: Readonly<Record<string, string>> = {
  PROVIDER_UNKNOWN: 'Run `hyperctl providers` and use a type or an instance from the list.',
  PROVIDER_MACHINE_UNKNOWN: 'Run `hyperctl vms list` with the provider and use an id from the list.',
  JOB_UNKNOWN: 'Run `hyperctl query` and use an id from the list.',
  SERVER_PLUGIN_UNKNOWN: 'Run `hyperctl plugins` and use an id from the list.',
  CLIENT_UNREACHABLE:
    'Start hypervisord with `hypervisord` (in the repository `npm start`), or say where it is with --socket or --url.',
  CLIENT_SOCKET_REFUSED: 'Run hyperctl as the user hypervisord runs as, or use --url with its token file.',
  CLIENT_CONNECTION_LOST: 'Try again; `hyperctl status` tells whether the daemon is back.',
  CLIENT_TIMEOUT: 'Try again, or allow more with --timeout.',
  CLIENT_ANSWER_INVALID: 'Check --url and --socket: another program may be listening there.',
}

/** What to do about an error, in the words of this command line where it has its own. */
export function hintFor(code: string, hint: string | undefined): string | undefined {
  return hints[code] ?? hint
}
