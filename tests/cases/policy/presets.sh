#!/bin/bash
# The presets: what each gives and hides.
. "$(dirname "$0")/../../lib.sh"

# level PRESET LEVEL PATH...: each of the paths has this level.
level()
{
	local preset=$1 want=$2 wrong
	shift 2
	wrong=$("$AFS" --explain -o "preset=$preset" "$@" | grep -v "^$want"$'\t' | cut -f1,2)
	is "$wrong" '' "$preset: $want for $*"
}

secrets=(.env .env.local .env.production a/.env prod.env .ENV server.key a/server.pem id_rsa id_ed25519
	id_rsa.bak x.p12 x.pfx x.jks x.kdbx X.KEY credentials credentials.json aws/credentials Credentials.yml
	secrets/ secrets/x a/secrets/b/c Secrets/x .ssh/ .ssh/config .aws/ .aws/config .gnupg/ .netrc .npmrc
	.pypirc .docker/config.json a/.docker/config.json .kube/config terraform.tfstate
	terraform.tfstate.backup service-account.json service_account_prod.json my-service-account.json
	.git-credentials .envrc)
plain=(.env.example .env.sample .env.template a/.env.example environment.py main.c README id_rsa.pub
	src/secrets.py monkey keys/readme .docker/Dockerfile .gitignore a.pemx)

level agent-safe none "${secrets[@]}"
level agent-safe read "${plain[@]}" a/output .git/hooks .git/config
level agent-safe write output/ output/a/b tmp/ tmp/x
level agent-safe none output/.env tmp/id_rsa output/secrets/
level development none "${secrets[@]}"
level development write "${plain[@]}" / src/ .git/HEAD .git/objects/ab/cd a/b/c
level development read .git/hooks/ .git/hooks/pre-commit .git/config sub/.git/hooks/x sub/.git/config \
	.git/modules/a/hooks/x .git/modules/a/b/config .git/config.worktree
level read-only read "${secrets[@]}" "${plain[@]}" /
level view-only view "${secrets[@]}" "${plain[@]}" /
level full-access write "${secrets[@]}" "${plain[@]}" /

# A policy of one's own includes them by name, or the file of secrets as the manual shows.
for include in agent-safe secrets secrets.conf; do
	printf 'include("%s")\nwrite("/x")\n' "$include" >"$T/own.conf"
	is "$("$AFS" --explain -o "policy=$T/own.conf" x/.env x/a | cut -f1 | tr '\n' ' ')" 'none write ' \
		"include(\"$include\")"
done
# A file beside it comes before a preset's file of the same name.
echo 'view("**")' >"$T/secrets.conf"
echo 'include("secrets.conf")' >"$T/own.conf"
is "$("$AFS" --explain -o "policy=$T/own.conf" .env | cut -f1)" view 'the file beside it is first'

done_testing
