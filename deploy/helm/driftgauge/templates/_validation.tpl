{{/* What the schema cannot see: values that need each other. Each mistake is one line that says what to do. */}}
{{- define "driftgauge.validate" -}}
{{- $web := .Values.web -}}
{{- $mlflow := .Values.mlflow -}}
{{- if and $web.tls.enabled (not $web.tls.existingSecret) -}}
{{- fail "web.tls.existingSecret: TLS is enabled, and no Secret is named; give the name of one with certificate and key" -}}
{{- end -}}
{{- if and (ne $web.tls.clientAuthType "NoClientCert") (not $web.tls.caKey) -}}
{{- fail "web.tls.caKey: clients show certificates, and no authority is named; give the key of it in web.tls.existingSecret" -}}
{{- end -}}
{{- if and $web.basicAuth.enabled (not $web.basicAuth.users) (not $web.existingSecret) -}}
{{- fail "web.basicAuth.users: basic auth is enabled, and there are no users; give one with a bcrypt hash, or web.existingSecret" -}}
{{- end -}}
{{- if and $web.basicAuth.enabled .Values.serviceMonitor.enabled (not .Values.serviceMonitor.basicAuth.existingSecret) -}}
{{- fail "serviceMonitor.basicAuth.existingSecret: basic auth is enabled, and Prometheus has no password; name a Secret with user and password" -}}
{{- end -}}
{{- if and (eq $web.tls.clientAuthType "RequireAndVerifyClientCert") .Values.serviceMonitor.enabled (not .Values.serviceMonitor.tlsConfig.cert) -}}
{{- fail "serviceMonitor.tlsConfig: clients have to show a certificate, and Prometheus has none; give cert and keySecret" -}}
{{- end -}}
{{- if and $mlflow.existingSecret $mlflow.credentials -}}
{{- fail "mlflow.credentials: next to mlflow.existingSecret; keep one of the two" -}}
{{- end -}}
{{- if and $mlflow.existingSecretKeys (not $mlflow.existingSecret) -}}
{{- fail "mlflow.existingSecret: mlflow.existingSecretKeys names keys, and no Secret is named; give its name" -}}
{{- end -}}
{{- if not .Values.existingConfigMap -}}
{{- include "driftgauge.validateConfig" . -}}
{{- end -}}
{{- end -}}

{{- define "driftgauge.validateConfig" -}}
{{- $text := toYaml .Values.config -}}
{{- if not (.Values.config | default dict).models -}}
{{- fail "config.models: names no model; give at least one with name and predictions, or existingConfigMap" -}}
{{- end -}}
{{- if regexMatch "://[^/@\\s]*:[^/@\\s$]+@" $text -}}
{{- fail "config: an address has a password in it, and a ConfigMap is no place for one; write ${NAME} and give the variable by mlflow.existingSecret" -}}
{{- end -}}
{{/* Where a whole Secret becomes variables, or pods get them in ways of their own, which ones there are is not known here. */}}
{{- if not (or .Values.extraEnvFrom (and .Values.mlflow.existingSecret (not .Values.mlflow.existingSecretKeys))) -}}
{{- $known := concat (keys .Values.mlflow.credentials) (keys .Values.mlflow.existingSecretKeys) -}}
{{- range .Values.extraEnv }}{{ $known = append $known .name }}{{ end -}}
{{- range regexFindAll "\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}" (replace "$$" "" $text) -1 -}}
{{- $name := . | trimPrefix "${" | trimSuffix "}" -}}
{{- if not (has $name $known) -}}
{{- fail (printf "config: ${%s} is not set; give the variable by mlflow.existingSecret, mlflow.credentials or extraEnv" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
