# Turns .varlink files into a C table: awk -f embed.awk FILE... > model.c
function quote(s) {
	gsub(/\\/, "\\\\", s)
	gsub(/"/, "\\\"", s)
	return "\"" s "\\n\""
}
BEGIN {
	print "/* Made from ipc/model by ipc/embed.awk. */"
	print "#include \"ipc/model.h\"\n"
	print "const struct ipc_model ipc_models[] = {"
}
FNR == 1 {
	if (NR > 1)
		print "},"
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/\.varlink$/, "", name)
	print "{ \"" name "\","
}
{ print quote($0) }
END {
	if (NR > 0)
		print "},"
	print "};"
	print "const size_t ipc_models_n = sizeof(ipc_models) / sizeof(ipc_models[0]);"
}
