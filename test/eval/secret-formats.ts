/**
 * Formats of secrets, each with the kind that it must be found as. `{A36}` is 36 random characters of class A; the
 * secret is between `[[` and `]]`, or is the whole. Facts of each format: documentation of the provider, and the public
 * patterns of gitleaks and secretlint. The table is written by hand and shares nothing with the packs.
 */
export interface SecretFormat {
  readonly kind: string;
  readonly template: string;
}

const TABLE = `
aws_access_key AKIA{U16}
aws_access_key ASIA{U16}
aws_secret_key aws_secret_access_key = [[{A20}/{A19}]]
aws_secret_key "SecretAccessKey": "[[{A39}+]]"
aws_secret_key AKIA{U16},[[{A40}]]
aws_session_token IQoJb3JpZ2lu{A400}==
aws_bedrock_key ABSK{A120}
aws_bedrock_key bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t{A120}
gcp_api_key AIza{w35}
gcp_oauth_token ya29.{w120}
gcp_oauth_secret GOCSPX-{w28}
gcp_refresh_token 1//0{A60}
azure_storage_key DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=[[{A86}==]];EndpointSuffix=core.windows.net
azure_shared_access_key Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=[[{A43}=]]
azure_sas_signature https://shop.blob.core.windows.net/c?sv=2022-11-02&se=2030-01-01&sr=b&sp=r&sig=[[{A43}%3D]]
azure_client_secret {A3}8Q~{A34}
azure_devops_token {A76}AZDO{A4}
azure_registry_key {A42}+ACRA{A5}
alibaba_access_key LTAI{A20}
alibaba_secret_key ALIBABA_SECRET_KEY=[[{A30}]]
tencent_secret_id AKID{A32}
digitalocean_token dop_v1_{h64}
heroku_api_key HRKU-AA{w58}
heroku_api_key HEROKU_API_KEY=[[{u}]]
flyio_token fo1_{w43}
cloudflare_origin_ca_key v1.0-{h24}-{h146}
cloudflare_token cfut_{A48}
cloudflare_token CLOUDFLARE_API_TOKEN=[[{w40}]]
fastly_token FASTLY_API_TOKEN: [[{w32}]]
netlify_token NETLIFY_AUTH_TOKEN=[[{w43}]]
netlify_token nfp_{A40}
vercel_token vcp_{A56}
vercel_token VERCEL_TOKEN=[[{A24}]]
tailscale_key tskey-auth-k{A10}CNTRL-{A32}
scaleway_key SCW{U17}
planetscale_token pscale_tkn_{A43}
supabase_key sbp_{h40}
render_token rnd_{A32}
ibm_cloud_key IBM_CLOUD_API_KEY=[[{w44}]]
yandex_key AQVN{A36}
openshift_token sha256~{w43}
github_token ghp_{A36}
github_token ghs_{A36}
github_token github_pat_{A22}_{A59}
gitlab_token glpat-{A20}
gitlab_token glrt-{A20}
gitlab_token GR1348941{A20}
gitlab_session _gitlab_session=[[{a32}]]
bitbucket_secret BITBUCKET_CLIENT_SECRET=[[{A64}]]
atlassian_token ATATT3{A186}
atlassian_token JIRA_API_TOKEN=[[{A24}]]
npm_token npm_{A36}
npm_token //registry.example/:_authToken=[[{A44}]]
pypi_token pypi-AgEIcHlwaS5vcmc{A80}
rubygems_token rubygems_{h48}
crates_token cio{A32}
nuget_key oy2{a43}
clojars_token CLOJARS_{a60}
docker_token dckr_pat_{A27}
docker_auth {"auths":{"hub.example":{"auth":"[[{basic}]]"}}}
artifactory_token AKCp{A69}
terraform_token {A14}.atlasv1.{A67}
pulumi_token pul-{h40}
vault_token hvs.{A95}
vault_token VAULT_TOKEN=[[s.{A24}]]
doppler_token dp.pt.{A43}
infracost_key ico-{A32}
prefect_key pnu_{A36}
sonar_token squ_{h40}
sonar_token sonar.login=[[{a40}]]
sourcegraph_token sgp_{h40}
codecov_token CODECOV_TOKEN=[[{a32}]]
travis_token TRAVIS_TOKEN=[[{A22}]]
circleci_token CIRCLE_TOKEN=[[{h40}]]
circleci_token CCIPAT_{A22}_{h40}
buildkite_token bkua_{h40}
octopus_key API-{U26}
harness_token pat.{A22}.{A24}.{A20}
snyk_token snyk_uat.{A8}.{A80}
snyk_token SNYK_TOKEN=[[{u}]]
anthropic_key sk-ant-api03-{w93}AA
openrouter_key sk-or-v1-{h64}
langfuse_key sk-lf-{u}
openai_key sk-proj-{A74}T3BlbkFJ{A74}
openai_key sk-{A20}T3BlbkFJ{A20}
huggingface_token hf_{L34}
groq_key gsk_{A52}
xai_key xai-{A80}
perplexity_key pplx-{A48}
replicate_token r8_{A37}
langsmith_key lsv2_pt_{h32}_{h10}
pinecone_key pcsk_{A6}_{A62}
tavily_key tvly-dev-{A32}
fireworks_key fw_{A24}
nvidia_key nvapi-{w64}
cohere_key COHERE_API_KEY=[[{A40}]]
mistral_key MISTRAL_API_KEY=[[{A32}]]
wandb_key wandb_v1_{A77}
wandb_key WANDB_API_KEY=[[{h40}]]
slack_token xoxb-{d12}-{d13}-{A24}
slack_token xoxp-{d12}-{d12}-{d12}-{h32}
slack_token xapp-1-A{U10}-{d13}-{h64}
slack_webhook https://[[hooks.slack.com/services/T{U8}/B{U10}/{A24}]]
discord_webhook https://[[discord.com/api/webhooks/{d18}/{w68}]]
discord_token M{A23}.{A6}.{A27}
discord_token mfa.{w84}
discord_secret DISCORD_CLIENT_SECRET=[[{w32}]]
telegram_token {d9}:AA{w33}
telegram_token https://api.telegram.example/bot[[{d9}:AA{w33}]]/getMe
teams_webhook https://[[shop.webhook.office.com/webhookb2/{u}@{u}/IncomingWebhook/{h32}/{u}]]
twilio_key SK{h32}
twilio_token TWILIO_AUTH_TOKEN=[[{h32}]]
sendgrid_key SG.{w22}.{w43}
mailgun_key key-{h32}
mailgun_key MAILGUN_SIGNING_KEY=[[{h32}-{h8}-{h8}]]
mailchimp_key {h32}-us14
brevo_key xkeysib-{h64}-{A16}
resend_key re_{A8}_{A24}
postmark_token POSTMARK_SERVER_TOKEN=[[{u}]]
intercom_token dG9rO{A55}=
mattermost_token MATTERMOST_TOKEN=[[{a26}]]
zendesk_key ZENDESK_TOKEN=[[{A40}]]
hubspot_token pat-na1-{u}
hubspot_token HUBSPOT_API_KEY=[[{u}]]
twitter_secret TWITTER_API_SECRET=[[{A50}]]
facebook_secret FACEBOOK_APP_SECRET=[[{h32}]]
facebook_token EAAC{A160}
linkedin_secret LINKEDIN_CLIENT_SECRET=[[{A16}]]
twitch_token TWITCH_TOKEN=[[{a30}]]
stripe_key sk_live_{A24}
stripe_key rk_test_{A99}
stripe_webhook_secret whsec_{A32}
square_token sq0atp-{w22}
braintree_token access_token$production\${a16}\${h32}
shopify_token shpat_{h32}
flutterwave_key FLWSECK_TEST-{h32}-X
razorpay_key rzp_live_{A14}
plaid_token access-sandbox-{u}
plaid_secret PLAID_SECRET=[[{a30}]]
shippo_token shippo_live_{h40}
easypost_key EZAK{A54}
duffel_token duffel_test_{w43}
lob_key live_{h35}
gocardless_token GOCARDLESS_ACCESS_TOKEN=[[live_{w40}]]
adyen_key AQEyhmfx{A100}-{A40}
coinbase_token COINBASE_KEY=[[{A64}]]
linear_key lin_api_{A40}
notion_token ntn_{d11}{A35}
figma_token figd_{w40}
airtable_token pat{A14}.{h64}
airtable_token AIRTABLE_API_KEY=[[key{A14}]]
asana_secret ASANA_CLIENT_SECRET=[[{a32}]]
asana_token 1/{d16}:{h32}
postman_key PMAK-{h24}-{h34}
rapidapi_key {a10}msh{a15}p1{a5}jsn{a12}
rapidapi_key RAPIDAPI_KEY=[[{A50}]]
readme_key rdme_{a70}
typeform_token tfp_{A44}
contentful_token CFPAT-{w43}
contentful_token CONTENTFUL_TOKEN=[[{w43}]]
algolia_key ALGOLIA_API_KEY=[[{a32}]]
mapbox_token sk.eyJ{A80}.{A22}
maxmind_key {A6}_{A29}_mmk
adobe_secret p8e-{A32}
dropbox_token DROPBOX_TOKEN=[[{A15}]]
dropbox_token sl.{w140}
settlemint_token sm_aat_{A16}
frameio_token fio-u-{w64}
zapier_webhook https://[[hooks.zapier.com/hooks/catch/{d7}/{A7}]]
datadog_key DD_API_KEY=[[{h32}]]
datadog_key ddapi_{A34}
newrelic_key NRAK-{U27}
newrelic_key {h36}NRAL
newrelic_key NEW_RELIC_LICENSE_KEY=[[{A40}]]
grafana_token glc_{A120}
grafana_token glsa_{A32}_{h8}
grafana_token eyJrIjoi{A100}
sentry_token sntrys_eyJ{A160}
sentry_token sntryu_{h64}
sentry_token SENTRY_AUTH_TOKEN=[[{h64}]]
dynatrace_token dt0c01.{U24}.{U64}
pagerduty_key PAGERDUTY_API_KEY=[[{w20}]]
sumologic_key SUMO_ACCESS_KEY=[[{A64}]]
okta_token OKTA_API_TOKEN=[[00{A40}]]
okta_token Authorization: SSWS [[00{A40}]]
honeycomb_key hcaik_{a58}
posthog_key phx_{A43}
elastic_key essu_{A60}
clickhouse_key 4b1d{A38}
confluent_key CONFLUENT_API_SECRET=[[{A64}]]
onepassword_token ops_eyJ{A300}
onepassword_secret_key A3-{U6}-{U6}-{U5}-{U5}-{U5}-{U5}
age_key AGE-SECRET-KEY-1{Q58}
databricks_token dapi{h32}
jfrog_token eyJ2ZXIiOi{A60}.{A200}.{A80}
adafruit_key ADAFRUIT_KEY=[[{A32}]]
adafruit_key aio_{A28}
beamer_token BEAMER_TOKEN=[[b_{A44}]]
bittrex_key BITTREX_SECRET=[[{a32}]]
meraki_key MERAKI_API_KEY=[[{h40}]]
droneci_token DRONE_TOKEN=[[{A32}]]
etsy_token ETSY_TOKEN=[[{a24}]]
finicity_key FINICITY_APP_KEY=[[{h32}]]
finnhub_key FINNHUB_TOKEN=[[{a20}]]
flickr_key FLICKR_KEY=[[{a32}]]
freshbooks_token FRESHBOOKS_TOKEN=[[{a64}]]
gitter_token GITTER_TOKEN=[[{a40}]]
kraken_key KRAKEN_SECRET=[[{A86}]]
kucoin_secret KUCOIN_SECRET=[[{u}]]
launchdarkly_key LAUNCHDARKLY_KEY=[[{A40}]]
looker_secret LOOKER_CLIENT_SECRET=[[{a24}]]
messagebird_token MESSAGEBIRD_TOKEN=[[{A25}]]
nytimes_key NYTIMES_KEY=[[{A32}]]
privateai_key PRIVATEAI_KEY=[[{a32}]]
sendbird_token SENDBIRD_TOKEN=[[{h40}]]
squarespace_token SQUARESPACE_TOKEN=[[{u}]]
jumpcloud_key JUMPCLOUD_KEY=[[{A40}]]
twitter_secret AAAAAAAAAAAAAAAAAAAAAAb{A80}
jwt ZXlK{A120}
adobe_secret ADOBE_CLIENT_SECRET=[[{h32}]]
linear_key LINEAR_CLIENT_SECRET=[[{h32}]]
intercom_token INTERCOM_TOKEN=[[{A60}]]
jfrog_token JFROG_TOKEN=[[{A64}]]
jfrog_token ARTIFACTORY_TOKEN=[[{A73}]]
discord_secret DISCORD_KEY=[[{h64}]]
telegram_token TELEGRAM_TOKEN=[[{d9}:Ab{w33}]]
sidekiq_secret BUNDLE_GEMS__CONTRIBSYS__COM=[[{h8}:{h8}]]
mapbox_token MAPBOX_TOKEN=[[pk.{A60}.{A22}]]
messagebird_token MESSAGE_BIRD_KEY=[[{A25}]]
dnkey_token dnkey-{A26}-{A52}
intra42_secret s-s4t2ud-{h64}
scalingo_token tk-us-{w48}
authress_key authress_{a10}.{a5}.acc-{a12}.{A40}
facebook_token {d15}|{w27}
jwt eyJhbGciOiJIUzI1NiJ9.eyJ{A60}.{w43}
private_key -----BEGIN RSA PRIVATE KEY-----\\n{B64}\\n{B64}\\n{B64}\\n-----END RSA PRIVATE KEY-----
private_key -----BEGIN OPENSSH PRIVATE KEY-----\\n{B64}\\n{B64}\\n-----END OPENSSH PRIVATE KEY-----
private_key -----BEGIN PGP PRIVATE KEY BLOCK-----\\n\\n{B64}\\n{B64}\\n-----END PGP PRIVATE KEY BLOCK-----
private_key [[Private-Lines: 4\\n{B64}\\n{B64}]]\\n
private_key the private key in DER: [[MIIE{A900}]]
url_password postgres://app:[[{p12}]]@db.internal:5432/shop
url_password https://ci:[[{A20}]]@git.example/repo.git
basic_auth Authorization: Basic [[{basic}]]
bearer_token Authorization: Bearer [[{A40}]]
curl_password curl -u admin:[[{p12}]] https://api.example/v1
password DB_PASSWORD=[[{p12}]]
password password: "[[{p12}]]"
password SMTP_PASS=[[{p12}]]
password mysqldump --password [[{p12}]] shop
password passphrase: "[[correct horse 42 battery]]"
generic_key client_secret: [[{A32}]]
generic_key api_key = "[[{u}]]"
generic_key run --token [[{A32}]] --verbose
generic_key the api key is [[{A32}]]
generic_key SECRET_KEY="[[django-{A16}!@#{A16}]]"
generic_key the access token [[{A32}]] of the build
generic_key - name: SIGNING_KEY\\n  value: [[{A32}]]
password - name: DB_PASSWORD\\n  value: [[{p12}]]
password <add key="Password" value="[[{p12}]]" />
password sshpass -p [[{p12}]] ssh host
session_cookie Set-Cookie: sid=[[{A32}]]; Path=/
generic_key SIGNING_SECRET=[[{h64}]]
`;

export const SECRET_FORMATS: readonly SecretFormat[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const at = line.indexOf(' ');
    return { kind: line.slice(0, at), template: line.slice(at + 1).replaceAll('\\n', '\n') };
  });

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';

const CLASSES: Readonly<Record<string, string>> = {
  A: LOWER + UPPER + DIGITS,
  L: LOWER + UPPER,
  a: LOWER + DIGITS,
  U: `${UPPER}234567`,
  h: '0123456789abcdef',
  d: DIGITS,
  w: `${LOWER}${UPPER}${DIGITS}_-`,
  B: `${LOWER}${UPPER}${DIGITS}+/`,
  Q: 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L',
  p: `${LOWER}${UPPER}${DIGITS}!$*?`,
};

/** A number from 0 to below a bound. */
export type Random = (below: number) => number;

/** Random numbers that a seed determines: mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const randomText = (members: string, length: number, random: Random): string =>
  Array.from({ length }, () => members.charAt(random(members.length))).join('');

/** Random characters that begin and end with a letter and hold a digit if the class has them, as real secrets nearly always do. */
function randomSecret(name: string, length: number, random: Random): string {
  const members = CLASSES[name] ?? '';
  const text = randomText(members, length, random);
  if (length < 5 || name === 'd') return text;
  const letter = name === 'Q' ? 'QPZRY' : name === 'U' ? 'ABCDEF' : 'abcdef';
  const digit = members.includes('7') ? '7' : letter.charAt(0);
  return letter.charAt(random(letter.length)) + text.slice(1, 2) + digit + text.slice(3, -1) + letter.charAt(random(5));
}

/** One secret of a format: the text around it, and its place in the text. */
export interface SecretSample {
  readonly kind: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export function sampleOf({ kind, template }: SecretFormat, random: Random): SecretSample {
  const uuid = (): string => [8, 4, 4, 4, 12].map((length) => randomText(CLASSES['h'] ?? '', length, random)).join('-');
  const filled = template
    .replace(/\{([A-Za-z])(\d+)\}/g, (_, name: string, length: string) => randomSecret(name, Number(length), random))
    .replace(/\{u\}/g, uuid)
    .replace(/\{basic\}/g, () => btoa(`user${random(100)}:${randomText(CLASSES['A'] ?? '', 12, random)}`));
  const [before, value, after] = filled.includes('[[') ? filled.split(/\[\[|\]\]/) : ['', filled, ''];
  const start = before?.length ?? 0;
  return { kind, text: `${before}${value}${after}`, start, end: start + (value?.length ?? 0) };
}
