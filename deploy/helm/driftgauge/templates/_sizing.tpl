{{/*
Memory in MiB by exporter/docs/performance.md: the processes and the decoding of a file (1,100), and for each model its
reference, its panes, and the cells that its rows occupy in these and in the sums of its windows. A hash spreads models
unevenly, so a shard is given half as many again as its share.
*/}}
{{- define "driftgauge.memory" -}}
{{- $models := int (include "driftgauge.modelsOfShard" .) -}}
{{- $features := int .Values.sizing.features -}}
{{- $points := add .Values.sizing.grid 4110 -}}
{{- $windows := len (.Values.config.windows | default (list "1h" "24h" "7d")) -}}
{{- $panes := mul 45 $windows -}}
{{- $rows := int64 .Values.sizing.rows -}}
{{- $column := mul 2 (add 1 (mul 2 $points)) -}}
{{- $occupied := add (min $rows (mul $panes $column)) (min $rows (mul $windows $column)) -}}
{{- if has "budget" (include "driftgauge.driftRules" . | fromJsonArray) -}}
{{- $occupied = add $occupied (min (mul $windows $rows) (mul $windows $column)) -}}
{{- end -}}
{{- $reference := mul $features (add 2000 (mul 24 $points)) -}}
{{- $bytes := mul $models (add $reference (mul $panes (add 6000 (mul 400 $features))) (mul 16 $features $occupied)) -}}
{{- add 1101 (div $bytes 1048576) -}}
{{- end -}}

{{/* The rules by which models of the configuration are judged, as a JSON list. */}}
{{- define "driftgauge.driftRules" -}}
{{- $rules := list -}}
{{- range .Values.config.models -}}
{{- $rules = append $rules (dig "drift" "rule" "effect" .) -}}
{{- end -}}
{{- toJson $rules -}}
{{- end -}}

{{- define "driftgauge.modelsOfShard" -}}
{{- $models := int (.Values.sizing.models | default (len .Values.config.models)) -}}
{{- $shards := int .Values.shards -}}
{{- if gt $shards 1 -}}
{{- min $models (div (add (mul 3 $models) (sub (mul 2 $shards) 1)) (mul 2 $shards)) -}}
{{- else -}}
{{- $models -}}
{{- end -}}
{{- end -}}

{{/* What is written under `resources` over what the formula says. */}}
{{- define "driftgauge.resources" -}}
{{- $memory := int64 (include "driftgauge.memory" .) -}}
{{- $cpu := add 100 (mul 3 (int (include "driftgauge.modelsOfShard" .))) -}}
{{- $requests := dict "cpu" (printf "%dm" $cpu) "memory" (printf "%dMi" $memory) -}}
{{- $limits := dict "cpu" "2" "memory" (printf "%dMi" (div (mul 5 $memory) 4)) -}}
{{- toYaml (mergeOverwrite (dict "requests" $requests "limits" $limits) (.Values.resources | default dict)) -}}
{{- end -}}
