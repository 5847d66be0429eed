{{/* The value of `app.kubernetes.io/name`. */}}
{{- define "driftgauge.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 44 | trimSuffix "-" -}}
{{- end -}}

{{/*
The name of the objects. 44 characters leave room for the longest suffix, -dashboard-features, and for what a
StatefulSet adds to its name in the label controller-revision-hash: labels and names of Services have 63 at most.
*/}}
{{- define "driftgauge.fullname" -}}
{{- $name := include "driftgauge.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 44 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "driftgauge.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "driftgauge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "driftgauge.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods: never anything that an upgrade changes. */}}
{{- define "driftgauge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "driftgauge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "driftgauge.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "driftgauge.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: exporter
app.kubernetes.io/part-of: driftgauge
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "driftgauge.image" -}}
{{- $image := printf "%s/%s" (.Values.global.imageRegistry | default .Values.image.registry) .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $image .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "driftgauge.imagePullSecrets" -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
- name: {{ ternary (dict "name" .) . (kindIs "string" .) | dig "name" "" }}
{{- end }}
{{- end -}}

{{/* The exporter's configuration, as it is in the ConfigMap. */}}
{{- define "driftgauge.config" -}}
{{- toYaml (merge (dict "state_dir" "/var/lib/driftgauge") .Values.config) -}}
{{- end -}}

{{- define "driftgauge.configMapName" -}}
{{- .Values.existingConfigMap | default (include "driftgauge.fullname" .) -}}
{{- end -}}

{{/* exporter-toolkit's web configuration; empty where neither TLS, users nor headers are asked for. */}}
{{- define "driftgauge.webConfig" -}}
{{- $web := .Values.web -}}
{{- $config := dict -}}
{{- if $web.tls.enabled -}}
{{- $tls := dict "cert_file" (printf "/etc/driftgauge/tls/%s" $web.tls.certKey) "key_file" (printf "/etc/driftgauge/tls/%s" $web.tls.privateKeyKey) "min_version" $web.tls.minVersion -}}
{{- if ne $web.tls.clientAuthType "NoClientCert" -}}
{{- $_ := set $tls "client_auth_type" $web.tls.clientAuthType -}}
{{- $_ := set $tls "client_ca_file" (printf "/etc/driftgauge/tls/%s" $web.tls.caKey) -}}
{{- end -}}
{{- $_ := set $config "tls_server_config" $tls -}}
{{- end -}}
{{- if $web.basicAuth.enabled -}}
{{- $_ := set $config "basic_auth_users" $web.basicAuth.users -}}
{{- end -}}
{{- with $web.headers -}}
{{- $_ := set $config "http_server_config" (dict "headers" .) -}}
{{- end -}}
{{- if $config }}{{ toYaml $config }}{{ end -}}
{{- end -}}

{{- define "driftgauge.webSecretName" -}}
{{- if .Values.web.existingSecret -}}
{{- .Values.web.existingSecret -}}
{{- else if include "driftgauge.webConfig" . -}}
{{- include "driftgauge.fullname" . }}-web
{{- end -}}
{{- end -}}

{{/* The shipped rules or dashboards with the links and the job of this release. Input: root and text. */}}
{{- define "driftgauge.adapted" -}}
{{- $text := .text -}}
{{- $links := .root.Values.links -}}
{{- with $links.grafana }}{{ $text = replace "http://localhost:3000" (trimSuffix "/" .) $text }}{{ end -}}
{{- with $links.mlflow }}{{ $text = replace "http://localhost:5000" (trimSuffix "/" .) $text }}{{ end -}}
{{- with $links.reports }}{{ $text = replace "http://localhost:10210" (trimSuffix "/" .) $text }}{{ end -}}
{{- with $links.runbooks }}{{ $text = replace "https://github.com/driftgauge/driftgauge/blob/main/alerting-rules/runbooks" (trimSuffix "/" .) $text }}{{ end -}}
{{- replace "job=\"driftgauge\"" (printf "job=%q" .root.Values.job) $text -}}
{{- end -}}

{{/* Files of a folder with those of the user's in their place, as JSON. Input: root, pattern and files. */}}
{{- define "driftgauge.files" -}}
{{- $found := dict -}}
{{- if .files -}}
{{- $found = .files -}}
{{- else -}}
{{- $root := .root -}}
{{- range $path, $_ := $root.Files.Glob .pattern -}}
{{- $_ := set $found (base $path) (include "driftgauge.adapted" (dict "root" $root "text" ($root.Files.Get $path))) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
