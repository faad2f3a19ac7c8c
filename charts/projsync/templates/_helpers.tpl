{{/* What everything is named after: the release, with `projsync` in it. */}}
{{- define "projsync.name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) }}
{{- .Values.fullnameOverride | default $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "projsync.selector" -}}
app.kubernetes.io/name: {{ include "projsync.name" . }}
{{- end }}

{{- define "projsync.account" -}}
{{- .Values.serviceAccount.name | default (include "projsync.name" .) }}
{{- end }}

{{- define "projsync.labels" -}}
app.kubernetes.io/part-of: projsync
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "projsync.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The rules of a role, as config/rbac has them. */}}
{{- define "projsync.rules" -}}
{{- (index . 0).Files.Get (printf "files/rbac/%s.yaml" (index . 1)) | fromYaml | dig "rules" list | toYaml }}
{{- end }}
