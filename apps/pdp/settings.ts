import { isLoopback } from '../../libs/kernel/loopback.js';
import { APPROVALS, BOUNDS, RESPONSES, VALIDATION } from './settings/bounds.js';
import type { FlowSettings } from '../../libs/decision-point/flow-inputs.js';
import { CONTENT } from './settings/content.js';
import { KAFKA, kafkaOf, type KafkaSettings } from './settings/kafka.js';
import { LIMITS } from './settings/limits.js';
import { SIEM, siemOf, type SiemSettings } from './settings/siem.js';
import { LEASES, LOGGING, PLACES, RETENTION, SEALING } from './settings/service.js';
import { readGroups, SettingsError, type Environment, type Setting, type ValuesOf } from './settings/setting.js';

export { SettingsError };

/**
 * Every setting of the service by its name. The table in docs/operate/settings.md is printed from here
 * (`npm run docs:settings`), and a house test compares it.
 */
export const SETTINGS: Readonly<Record<string, Setting>> = Object.fromEntries(
  [PLACES, SEALING, LEASES, LIMITS, BOUNDS, RESPONSES, APPROVALS, CONTENT, VALIDATION, KAFKA, SIEM, RETENTION, LOGGING]
    .flatMap((group): Setting[] => Object.values(group))
    .map((each) => [each.name, each]),
);

type Places = ValuesOf<typeof PLACES>;

export interface Settings
  extends
    Pick<Places, 'dataDir' | 'http' | 'grpc' | 'publicUrl'>,
    ValuesOf<typeof SEALING>,
    ValuesOf<typeof LEASES>,
    ValuesOf<typeof RESPONSES>,
    ValuesOf<typeof APPROVALS>,
    ValuesOf<typeof RETENTION>,
    ValuesOf<typeof LOGGING> {
  readonly logFile: string;
  /** Where scrapers find the metrics; undefined for nowhere. `isDefault`: no setting names it. */
  readonly metrics: { readonly host: string; readonly port: number; readonly isDefault: boolean } | undefined;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Undefined: nothing is sent to Kafka. */
  readonly kafka: KafkaSettings | undefined;
  readonly siem: SiemSettings;
  readonly flow: FlowSettings;
  readonly limits: ValuesOf<typeof LIMITS>;
  readonly bounds: ValuesOf<typeof BOUNDS> & ValuesOf<typeof VALIDATION>;
}

/** Names that the command line and the engine tests read. The service ignores them. */
const OF_OTHERS = /^SALLYPORT_(URL|TOKEN|TOKEN_FILE|TEST_.*)$/;

/** Reads the settings. Throws `SettingsError` that names all unknown and malformed ones, or the first dangerous one. */
export function readSettings(environment: Environment): Settings {
  const groups = {
    places: PLACES,
    sealing: SEALING,
    leases: LEASES,
    responses: RESPONSES,
    approvals: APPROVALS,
    content: CONTENT,
    retention: RETENTION,
    logging: LOGGING,
    kafka: KAFKA,
    siem: SIEM,
    limits: LIMITS,
    bounds: BOUNDS,
    validation: VALIDATION,
  } as const;
  const { values, faults } = readGroups(groups, environment);
  const all = [...unknownIn(environment), ...faults];
  if (all.length > 0) throw new SettingsError(all.join('; '));
  const { eventLog, metrics, tlsCert, tlsKey, ...places } = values.places;
  return {
    ...places,
    ...values.sealing,
    ...values.leases,
    ...values.responses,
    ...values.approvals,
    ...values.retention,
    ...values.logging,
    metrics: metrics === 'off' ? undefined : { ...metrics, isDefault: environment[PLACES.metrics.name] === undefined },
    logFile: eventLog ?? `${places.dataDir}/sallyport.db`,
    tls: tlsOf(tlsCert, tlsKey, places),
    kafka: kafkaOf(values.kafka),
    siem: siemOf(values.siem, environment),
    flow: { mode: values.content.flowMode, contextLevel: values.content.contextLevel },
    limits: values.limits,
    bounds: { ...values.bounds, ...values.validation },
  };
}

function unknownIn(environment: Environment): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('SALLYPORT_') && !Object.hasOwn(SETTINGS, name) && !OF_OTHERS.test(name))
    .map((name) => `${name} is not a setting, see docs/operate/settings.md`);
}

/** The TLS files of both interfaces. Throws `SettingsError` if tokens would travel in clear text beyond loopback. */
function tlsOf(
  cert: string | undefined,
  key: string | undefined,
  { http, grpc }: Pick<Places, 'http' | 'grpc'>,
): Settings['tls'] {
  if ((cert === undefined) !== (key === undefined)) {
    throw new SettingsError('SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY go together');
  }
  if (cert !== undefined && key !== undefined) return { cert, key };
  for (const [name, { host }] of Object.entries({ SALLYPORT_HTTP: http, SALLYPORT_GRPC: grpc })) {
    if (isLoopback(host)) continue;
    throw new SettingsError(`${name}: an address other than loopback needs SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY`);
  }
  return undefined;
}

/** The table of docs/operate/settings.md, in Markdown. */
export function settingsTable(): string {
  const rows = Object.values(SETTINGS).map(
    ({ name, default: fallback, meaning, danger }) =>
      `| \`${name}\` | ${fallback === undefined ? '–' : `\`${fallback}\``} | ${meaning} | ${danger} |`,
  );
  return ['| setting | default | what for | danger |', '|---|---|---|---|', ...rows].join('\n');
}
