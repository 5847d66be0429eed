{{/* What the exporter's paths begin with, without a slash at its end. */}}
{{- define "driftgauge.prefix" -}}
{{- $outside := "" -}}
{{- with .Values.web.externalUrl }}{{ $outside = (urlParse .).path }}{{ end -}}
{{- with .Values.web.routePrefix | default $outside | trimAll "/" }}/{{ . }}{{ end -}}
{{- end -}}

{{/* The address of a probe. Where clients have to show a certificate, which the kubelet has not, only the port is tried. */}}
{{- define "driftgauge.probe" -}}
{{- if .certificates -}}
tcpSocket:
  port: http
{{- else -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ .scheme }}
{{- end }}
{{- end -}}

{{- define "driftgauge.env" -}}
# Which shard this is: the number that the pod's name ends with, of so many.
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: DRIFTGAUGE_TOTAL_SHARDS
  value: {{ .Values.shards | quote }}
# What a process leaves there when it is killed is gone with the pod, and not kept with the state.
- name: TMPDIR
  value: /tmp
{{- range $name, $key := .Values.mlflow.existingSecretKeys }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.mlflow.existingSecret }}
      key: {{ $key }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "driftgauge.envFrom" -}}
{{- if and .Values.mlflow.existingSecret (not .Values.mlflow.existingSecretKeys) }}
- secretRef:
    name: {{ .Values.mlflow.existingSecret }}
{{- end }}
{{- if .Values.mlflow.credentials }}
- secretRef:
    name: {{ include "driftgauge.fullname" . }}-mlflow
{{- end }}
{{- with .Values.extraEnvFrom }}
{{ toYaml . }}
{{- end }}
{{- end -}}
